"""The web bot on loopback, before the fake model server."""

import pytest

from tests.support.fake_server import running_server
from tests.support.web_world import running_web


@pytest.fixture
async def fake():
    async with running_server() as server:
        yield server


@pytest.fixture
async def world(fake):
    async with running_web(fake) as running:
        yield running
