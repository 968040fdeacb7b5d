"""A small web on loopback that plays Wikimedia and Google."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from PIL import Image

from model_server.portraits.fetch import Fetcher


@dataclass
class Answer:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    pieces: int = 0  # endless-looking bodies: so many times the body, without a Content-Length

    @classmethod
    def json(cls, value: object, status: int = 200) -> Answer:
        return cls(json.dumps(value).encode(), status)

    @classmethod
    def jpeg(cls, data: bytes) -> Answer:
        return cls(data, headers={"Content-Type": "image/jpeg"})


@dataclass
class Request:
    path: str
    params: dict[str, str]
    headers: dict[str, str]


class Web:
    """Answers each path by what the test put into ``routes``; 404 otherwise."""

    def __init__(self) -> None:
        self.routes: dict[str, Callable[[Request], Answer] | Answer] = {}
        self.requests: list[Request] = []
        self.release = threading.Event()  # slow answers wait for it
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                params = {key: values[0] for key, values in parse_qs(parts.query).items()}
                request = Request(parts.path, params, dict(self.headers))
                web.requests.append(request)
                route = web.routes.get(parts.path, Answer(b"no such page", 404))
                answer = route if isinstance(route, Answer) else route(request)
                try:
                    self.send_response(answer.status)
                    for key, value in answer.headers.items():
                        self.send_header(key, value)
                    if not answer.pieces:
                        self.send_header("Content-Length", str(len(answer.body)))
                    self.end_headers()
                    for _ in range(answer.pieces or 1):
                        self.wfile.write(answer.body)
                except OSError:
                    pass  # the client hung up, as it should when too much comes

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def slow(self, answer: Answer) -> Callable[[Request], Answer]:
        """The answer, once the test lets it go (or after 10 s)."""

        def wait(_: Request) -> Answer:
            self.release.wait(10)
            return answer

        return wait

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass(frozen=True)
class Someone:
    id: str = "penelope-cruz"
    display_name: str = "Penélope Cruz"
    aliases: tuple[str, ...] = ()
    wikidata_id: str = ""


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.close()


@pytest.fixture
def other_web() -> Iterator[Web]:
    web = Web()
    yield web
    web.close()


@pytest.fixture
async def fetcher(web: Web) -> AsyncIterator[Fetcher]:
    async with httpx.AsyncClient(timeout=0.5) as client:
        yield Fetcher(client, [web.url], user_agent="Lookalike/test (ops@example.org)")


@pytest.fixture
def answer() -> type[Answer]:
    return Answer


@pytest.fixture
def someone() -> type[Someone]:
    return Someone


@pytest.fixture(scope="session")
def jpeg() -> Callable[..., bytes]:
    def make(width: int = 330, height: int = 440, file_format: str = "JPEG") -> bytes:
        picture = Image.linear_gradient("L").resize((width, height)).convert("RGB")
        buffer = io.BytesIO()
        picture.save(buffer, file_format)
        return buffer.getvalue()

    return make
