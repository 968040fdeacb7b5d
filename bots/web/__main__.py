"""The web bot's process: ``python -m bots.web`` or ``lookalike-web``."""

from __future__ import annotations

import argparse
import logging
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from pydantic import ValidationError

from bots.web.app import create_app
from bots.web.live import MAX_FRAME_BYTES
from bots.web.settings import WebSettings

__all__ = ["main", "make_server"]

DRAIN_S = 10
"""Seconds that running requests get at the end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT; the exit status."""
    parser = argparse.ArgumentParser(
        prog="lookalike-web",
        description="The Lookalike web page and REST endpoints. All settings: see the README.",
    )
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, help="port to listen on; 0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="write the port into this file once bound")
    options = parser.parse_args(arguments)
    try:
        settings = WebSettings.load()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(str(part) for part in problem["loc"]) or "settings"
            print(f"LOOKALIKE_{name.upper()}: {problem['msg']}", file=sys.stderr)  # noqa: T201
        return 2
    logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s: %(message)s")
    host = options.host or settings.web_host
    server = make_server(settings, host, _port(options, settings), options.port_file)
    server.run()
    return 0 if server.started else 1


def make_server(
    settings: WebSettings, host: str, port: int, port_file: Path | None = None
) -> uvicorn.Server:
    """The HTTP server, not yet listening.

    Args:
        settings: Of the page.
        host: Address to listen on.
        port: 0 takes a free one.
        port_file: The port is written into it once the server listens.
    """
    proxies = settings.web_trusted_proxies
    return _Server(
        uvicorn.Config(
            create_app(settings),
            host=host,
            port=port,
            log_level=settings.log_level.lower(),
            # Who looked at what when is nobody's business; /metrics has the counts.
            access_log=False,
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=proxies or None,
            ws_max_size=MAX_FRAME_BYTES,
            timeout_graceful_shutdown=DRAIN_S,
        ),
        port_file,
    )


class _Server(uvicorn.Server):
    """Says in a file that it listens, and where."""

    def __init__(self, config: uvicorn.Config, port_file: Path | None) -> None:
        super().__init__(config)
        self._port_file = port_file

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._port_file:
            port = self.servers[0].sockets[0].getsockname()[1]
            # Whole or not at all: whoever waits for the file reads it as soon as it is there.
            temporary = self._port_file.with_suffix(".tmp")
            temporary.write_text(f"{port}\n", encoding="ascii")
            temporary.replace(self._port_file)


def _port(options: argparse.Namespace, settings: WebSettings) -> int:
    port: int = settings.web_port if options.port is None else options.port
    return port


if __name__ == "__main__":
    sys.exit(main())
