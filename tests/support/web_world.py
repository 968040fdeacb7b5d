"""The web bot as a real HTTP server on a free port, before the fake model server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from bots.core.settings import SpeechMode
from bots.web.__main__ import make_server
from bots.web.settings import WebSettings
from tests.support.fake_server import FakeServer

__all__ = ["WebWorld", "running_web"]


@dataclass
class WebWorld:
    """What a test of the web bot has at hand."""

    fake: FakeServer
    url: str
    http: httpx.AsyncClient

    def photo(self, content: bytes, name: str = "file") -> dict:
        """Keyword arguments of a request that uploads a photo."""
        return {"files": {name: ("photo.jpg", content, "image/jpeg")}}

    @property
    def live_url(self) -> str:
        """Where live views connect to."""
        return f"{self.url.replace('http', 'ws', 1)}/live"


@asynccontextmanager
async def running_web(fake: FakeServer, **changes) -> AsyncIterator[WebWorld]:
    """The web bot, listening; ``changes`` are settings."""
    values = {
        "log_level": "warning",
        "server": fake.address,
        "deadline_s": 5.0,
        "speech": SpeechMode.OFFLINE,
        **changes,
    }
    settings = WebSettings(_env_file=None, **values)
    server = make_server(settings, "127.0.0.1", 0)
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
            if serving.done():
                await serving
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=20) as http:
            yield WebWorld(fake, url, http)
    finally:
        server.should_exit = True
        await serving
