"""Photos that are not for everyone."""

from __future__ import annotations

import pytest
from simcord.backend import serializers

from tests.support.discord_world import embed_text
from tests.support.fake_server import analysis, face, picture

PHOTO = ("me.jpg", picture())


@pytest.fixture(autouse=True)
def naked(scene):
    """Every photo scores high."""
    scene.server.script = lambda _: analysis(face(), nsfw_score=0.97)


def stored_files(scene, channel_id, message_id):
    message = scene.env.backend.get_message(channel_id, message_id)
    return [file["filename"] for file in message.attachments], message.embeds


async def test_in_a_direct_message_everything_is_hidden(scene):
    """Card and copy are spoilers, and no embed shows them."""
    result = await scene.alice.user.slash("lookalike", photo=PHOTO)
    names, embeds = stored_files(scene, result.response.channel_id, result.response.id)
    assert names == ["SPOILER_lookalike.jpg", "SPOILER_photo-1.jpg"]
    assert "image" not in embeds[0]
    assert "thumbnail" not in embeds[0]


async def test_hidden_pages_stay_hidden_after_a_restart(scene):
    """What was hidden once stays so, should the small copy score lower than the photo did."""
    result = await scene.alice.user.slash("lookalike", photo=PHOTO)
    await scene.restart()
    scene.server.script = lambda _: analysis(face(), nsfw_score=0.1)
    await scene.alice.user.click(result.response, label="More look-alikes")
    names, embeds = stored_files(scene, result.response.channel_id, result.response.id)
    assert names == ["SPOILER_lookalike.jpg", "SPOILER_photo-1.jpg"]
    assert "image" not in embeds[0]


async def test_sharing_keeps_it_hidden(scene):
    """A shared card is a spoiler as well."""
    result = await scene.alice.user.slash("lookalike", photo=PHOTO)
    shared = await scene.alice.user.click(result.response, label="Share")
    names, embeds = stored_files(scene, shared.response.channel_id, shared.response.id)
    assert names == ["SPOILER_lookalike.jpg"]
    assert "image" not in embeds[0]


async def test_in_a_channel_it_is_refused_in_private(scene):
    """The channel sees nothing of it; the asker is told why."""
    result = await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO)
    assert result.followups[0].ephemeral
    assert "not be for everyone" in embed_text(result.followups[0])
    assert scene.channel.history(viewer=scene.bob) == []


async def test_a_private_answer_in_a_channel_is_hidden_only(scene):
    """Where only the asker sees the answer, it need not be refused."""
    result = await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO, private=True)
    names, _ = stored_files(scene, scene.channel.id, result.response.id)
    assert names[0] == "SPOILER_lookalike.jpg"


async def test_a_channel_for_adults_gets_a_spoiler(scene, monkeypatch):
    """A channel marked as age-restricted gets the answer, hidden."""
    original = serializers.channel_payload
    monkeypatch.setattr(
        serializers, "channel_payload", lambda *a, **k: {**original(*a, **k), "nsfw": True}
    )
    adults = scene.guild.create_text_channel("adults")
    result = await scene.alice.slash(adults, "lookalike", photo=PHOTO)
    names, _ = stored_files(scene, adults.id, result.response.id)
    assert names[0] == "SPOILER_lookalike.jpg"
    await scene.alice.send(adults, f"<@{scene.bot.user.id}>", attachments=[PHOTO])
    names, _ = stored_files(scene, adults.id, adults.last_message.id)
    assert names == ["SPOILER_lookalike.jpg"]


@pytest.mark.bot_settings(nsfw_group="show")
async def test_the_operator_decides(scene):
    """The policy is a setting."""
    result = await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO)
    names, embeds = stored_files(scene, scene.channel.id, result.response.id)
    assert names[0] == "lookalike.jpg"
    assert embeds[0]["image"]["url"] == "attachment://lookalike.jpg"
