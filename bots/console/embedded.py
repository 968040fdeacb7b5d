"""A private model server: a child process on a free port, for as long as one call takes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from bots.console.errors import ConsoleError, ExitCode
from bots.core.client import LookalikeClient

__all__ = ["EmbeddedServer", "embedded_server"]

_POLL_S = 0.05
_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A server that is ready.

    Attributes:
        address: "127.0.0.1:PORT".
        token: It answers those who know it only: others on this machine do not.
    """

    address: str
    token: str


@contextlib.asynccontextmanager
async def embedded_server(timeout_s: float = 180.0) -> AsyncIterator[EmbeddedServer]:
    """Starts a server, yields it once its models are loaded, and stops it afterwards.

    Raises:
        ConsoleError: It ends by itself, or is not ready in time; says why.
    """
    token = secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="lookalike-") as folder:
        port_file = Path(folder) / "port"
        log_path = Path(folder) / "log"
        with log_path.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "model_server", "--private", "--host", "127.0.0.1", "--port", "0"),
                *("--port-file", str(port_file)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"LOOKALIKE_TOKENS": token},
            )
        try:
            end = time.monotonic() + timeout_s
            port = await _port(process, port_file, log_path, end)
            server = EmbeddedServer(f"127.0.0.1:{port}", token)
            await _ready(process, server, log_path, end)
            yield server
        finally:
            await asyncio.shield(_stop(process))


async def _port(
    process: asyncio.subprocess.Process, port_file: Path, log_path: Path, end: float
) -> int:
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError):
            return int(port_file.read_text(encoding="ascii"))  # noqa: ASYNC240 - a few bytes
        _check_alive(process, log_path)
        await asyncio.sleep(_POLL_S)
    raise _late(log_path)


async def _ready(
    process: asyncio.subprocess.Process, server: EmbeddedServer, log_path: Path, end: float
) -> None:
    async with LookalikeClient(server.address, token=server.token) as client:
        while not await client.is_serving():
            _check_alive(process, log_path)
            if time.monotonic() > end:
                raise _late(log_path)
            await asyncio.sleep(_POLL_S)


def _check_alive(process: asyncio.subprocess.Process, log_path: Path) -> None:
    if process.returncode is None:
        return
    words = last_words(log_path)
    if "No module named" in words:
        raise ConsoleError(
            "The model server is not installed here.",
            hint='Install it with: pip install "lookalike[server]"',
            code=ExitCode.NO_SERVER,
        )
    raise ConsoleError(
        f"The private server did not start: {words or f'it ended with {process.returncode}'}",
        hint='"lookalike doctor" says what is missing.',
        code=ExitCode.NO_SERVER,
    )


def _late(log_path: Path) -> ConsoleError:
    words = last_words(log_path)
    return ConsoleError(
        "The private server was not ready in time."
        + (f" Its last words: {words}" if words else ""),
        code=ExitCode.NO_SERVER,
    )


def last_words(log_path: Path) -> str:
    """The last message in the server's log; empty where it said nothing."""
    try:
        lines = log_path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    last = next((line for line in reversed(lines) if line.strip()), "")
    try:
        entry = json.loads(last)
    except ValueError:
        return last.strip()
    return str(entry.get("message", "")) if isinstance(entry, dict) else last.strip()


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _GRACE_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
