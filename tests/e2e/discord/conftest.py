"""A pretend Discord with a server, a channel and two people, and a model server beside it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import simcord

from bots.discord.bot import LookalikeBot
from tests.support.discord_world import make_bot, world
from tests.support.fake_server import FakeServer, running_server


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "bot_settings(**settings): of the Discord bot")
    config.addinivalue_line("markers", "logs_errors: the bot may log errors")


@dataclass
class Scene:
    """What a test plays with."""

    env: simcord.Env
    server: FakeServer
    guild: Any
    channel: Any
    alice: Any
    bob: Any
    folder: Path

    @property
    def bot(self) -> LookalikeBot:
        bot = self.env.bot
        assert isinstance(bot, LookalikeBot)
        return bot

    async def restart(self, **settings: Any) -> None:
        """A new process of the bot takes over: it remembers what is on disk only."""
        old = self.bot
        await self.env.restart_bot(make_bot(self.server.address, self.folder, **settings))
        await old.desk.close()
        await old.store.close()


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with running_server() as fake:
        yield fake


@pytest.fixture
async def scene(
    server: FakeServer, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Scene]:
    marker = request.node.get_closest_marker("bot_settings")
    bot = make_bot(server.address, tmp_path, **(marker.kwargs if marker else {}))
    async with world(bot) as env:
        guild = env.create_guild()
        channel = guild.create_text_channel("general")
        alice = guild.add_member(env.create_user("alice"))
        bob = guild.add_member(env.create_user("bob"))
        yield Scene(env, server, guild, channel, alice, bob, tmp_path)


@pytest.fixture(autouse=True)
def no_unexpected_error(
    caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> Iterator[None]:
    yield
    if request.node.get_closest_marker("logs_errors"):
        return
    errors = [r for r in caplog.get_records("call") if r.levelno >= logging.ERROR]
    assert not errors, [record.getMessage() for record in errors]
