"""Many photos of many people at once; the big one is ``python -m benchmarks.discord_soak``."""

from __future__ import annotations

from benchmarks.discord_soak import Crowd, fake_server
from tests.support.discord_world import make_bot, world
from tests.support.fake_server import running_server


async def test_each_photo_gets_its_one_answer_where_it_belongs(tmp_path):
    """Sixty photos of ten people at the same moment: none lost, doubled or mixed up."""
    async with running_server(fake_server()) as server:
        bot = make_bot(server.address, tmp_path, deadline_s=60.0, queue_per_user=50)
        async with world(bot) as env:
            outcome = await Crowd(env, 10, told_apart=True).send(60, patience_s=60.0)
    assert outcome.is_clean, outcome
    assert server.count("AnalyzePhoto") == 60
    assert server.most_in_flight <= bot.settings.calls_at_once
