"""The model server's process: ``python -m model_server`` or ``lookalike-server``."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import start_http_server
from pydantic import ValidationError

from model_server.backend import Backend
from model_server.errors import LookalikeError
from model_server.logs import set_up_logging
from model_server.metrics import Metrics
from model_server.server import LookalikeServer
from model_server.settings import ServerSettings

__all__ = ["main"]

log = logging.getLogger("model_server")

_SWITCH_S = 0.0005
"""How long the thread that talks to callers waits, several times a call, for another one to leave
Python; by default it is 5 ms."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the server until SIGTERM or SIGINT; the exit status."""
    options = _parse(arguments)
    given = {
        name: value
        for name, value in vars(options).items()
        if name in ServerSettings.model_fields and value is not None
    }
    try:
        settings = ServerSettings.load(private=options.private, **given)
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(str(part) for part in problem["loc"]) or "settings"
            shown = f"--{name.replace('_', '-')}" if name in given else f"LOOKALIKE_{name.upper()}"
            print(f"{shown}: {problem['msg']}", file=sys.stderr)  # noqa: T201
        return 2
    set_up_logging(settings.log_level)
    try:
        asyncio.run(serve(settings, options.port_file))
    except LookalikeError as error:
        log.critical("cannot start: %s", error.message, extra={"reason": error.reason})
        return 1
    except (OSError, RuntimeError) as error:
        # An address that is taken, a certificate that cannot be read.
        log.critical("cannot start: %s", error)
        return 1
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="lookalike-server",
        description="The Lookalike model server. All settings: see LOOKALIKE_… in the README.",
    )
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, help="port to listen on; 0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="write the port into this file once bound")
    parser.add_argument("--metrics-port", type=int, help="port of the Prometheus metrics")
    parser.add_argument(
        "--private",
        action="store_true",
        help="for the caller on this machine who starts it: TLS, admin tokens, and the ports of "
        "metrics and health checks are not used, wherever they are set",
    )
    parser.add_argument("--data-dir", type=Path, help="folder of the gallery's database")
    return parser.parse_args(arguments)


async def serve(settings: ServerSettings, port_file: Path | None = None) -> None:
    """Serves until the process is told to stop, then drains.

    Raises:
        LookalikeError: A model or the gallery cannot be loaded.
        RuntimeError: The address is taken or not ours.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    sys.setswitchinterval(_SWITCH_S)
    metrics = Metrics()
    backend = Backend(settings, metrics)
    server = LookalikeServer(settings, backend, metrics)
    port = await server.start()
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, settings.host, metrics.registry)
    if port_file:
        # Whole or not at all: whoever waits for the file reads it as soon as it is there.
        temporary = port_file.with_suffix(".tmp")
        temporary.write_text(f"{port}\n")
        temporary.replace(port_file)
    log.info("listening", extra={"host": settings.host, "port": port})

    stopping = asyncio.create_task(stop.wait())
    try:
        loading = asyncio.create_task(asyncio.to_thread(backend.load))
        await asyncio.wait({loading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if loading.done():
            await loading
            # What is loaded stays: to look through it for garbage stops everybody for 70 ms.
            gc.freeze()
            server.set_ready(ready=True)
            log.info("serving", extra={"port": port})
            await stopping
        else:
            await asyncio.wait({loading})
    finally:
        stopping.cancel()
        await server.drain()
        await backend.close()


if __name__ == "__main__":
    sys.exit(main())
