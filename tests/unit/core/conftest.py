"""What the tests of the bots' core share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bots.core.answer import Asker
from bots.core.client import LookalikeClient
from bots.core.desk import PhotoDesk
from bots.core.settings import BotSettings
from tests.support.fake_server import FakeServer, running_server


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    """A fake server on a free port."""
    async with running_server() as fake:
        yield fake


@pytest.fixture
async def client(server: FakeServer) -> AsyncIterator[LookalikeClient]:
    """A client of the fake server."""
    async with LookalikeClient(server.address, deadline_s=5.0) as one:
        yield one


@pytest.fixture
async def desk(server: FakeServer) -> AsyncIterator[PhotoDesk]:
    """A desk in front of the fake server."""
    async with PhotoDesk.open(BotSettings(server=server.address, deadline_s=5.0)) as one:
        yield one


@pytest.fixture
def asker() -> Asker:
    """Somebody in a private chat who speaks English."""
    return Asker("test", "user-1", "chat-1", "en")
