"""A fake model server, Telegram's emulator over HTTP, and the bot between them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.telegram.journal import JournaledApplication
from tests.support.fake_server import FakeServer, running_server
from tests.support.telegram_bot import running_bot
from tests.support.telegram_world import TelegramWorld, running_world


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with running_server() as fake:
        yield fake


@pytest.fixture
async def world() -> AsyncIterator[TelegramWorld]:
    async with running_world() as one:
        yield one
        assert one.refusals == []


@pytest.fixture
async def bot(
    world: TelegramWorld, server: FakeServer, tmp_path: Path
) -> AsyncIterator[JournaledApplication]:
    async with running_bot(world, server.address, tmp_path) as application:
        yield application
