"""The web bot under load, and what it adds to the bare gRPC call.

    python -m benchmarks.web_soak [--photos 500] [--users 50] [--rounds 3] [--timed 100]

Everything is on loopback: the web bot in a process of its own, clients told apart by the
address that a trusted proxy names, the model server played by a fake that answers at once.
Each photo is different, and its answer names it: so a photo that is lost or answered to
somebody else shows.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.bots_soak import NamingServer, noise
from bots.core.client import LookalikeClient
from tests.support.fake_server import running_server

START_S = 60.0


@dataclass(frozen=True)
class Round:
    """What became of a round's photos."""

    seconds: float
    photos_per_s: float
    lost: int
    misrouted: int
    web_mib: float


@contextmanager
def web_process(server: str) -> Iterator[tuple[str, int]]:
    """``python -m bots.web`` before that model server; its URL and process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "LOOKALIKE_SERVER": server,
        "LOOKALIKE_WEB_TRUSTED_PROXIES": "127.0.0.1",
        "LOOKALIKE_PHOTOS_PER_MINUTE": "100000",
        "LOOKALIKE_QUEUE_PER_USER": "1000",
        "LOOKALIKE_DEADLINE_S": "120",
        "LOOKALIKE_LOG_LEVEL": "WARNING",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "bots.web", "--port", str(port)], env={**os.environ, **environment}
    ) as process:
        try:
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()


async def soak(photos: int, users: int, rounds: int) -> list[Round]:
    """Sends ``photos`` from ``users`` at once, ``rounds`` times."""
    content = noise(640, 480, 3)
    results = []
    async with running_server(NamingServer()) as server:
        with web_process(server.address) as (url, pid):
            limits = httpx.Limits(max_connections=users)
            async with httpx.AsyncClient(base_url=url, timeout=300, limits=limits) as http:
                await _ready(http)
                for number in range(rounds):
                    began = time.perf_counter()
                    names = [f"Photo {number}-{index:04d}".ljust(12) for index in range(photos)]
                    got = await asyncio.gather(
                        *(
                            _ask(http, content + name[-12:].encode(), index % users)
                            for index, name in enumerate(names)
                        )
                    )
                    took = time.perf_counter() - began
                    results.append(
                        Round(
                            seconds=took,
                            photos_per_s=photos / took,
                            lost=sum(caption is None for caption in got),
                            misrouted=sum(
                                caption not in {None, name[-12:]}
                                for caption, name in zip(got, names, strict=True)
                            ),
                            web_mib=_resident_mib(pid),
                        )
                    )
    return results


async def overhead(photos: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of one photo after the other, measured in turns.

    Returns:
        For each: elapsed, p50; and of a processor in the web bot, on average, which does
        not count what else the machine is busy with.
    """
    content = noise(1280, 960, 4) + b"Photo       "
    times: dict[str, list[float]] = {"bare": [], "/predict": [], "/api/photos": []}
    busy = dict.fromkeys(times, 0.0)
    async with running_server(NamingServer()) as server:
        with web_process(server.address) as (url, pid):
            async with (
                httpx.AsyncClient(base_url=url, timeout=60) as http,
                LookalikeClient(server.address) as client,
            ):
                await _ready(http)
                for number in range(photos + 5):
                    for name, taken in times.items():
                        began, worked = time.perf_counter(), _processor_ms(pid)
                        if name == "bare":
                            await client.analyze(content, max_matches=10, include_crops=True)
                        else:
                            (await http.post(name, files={"file": content})).raise_for_status()
                        if number >= 5:  # warm by then
                            taken.append(1000 * (time.perf_counter() - began))
                            busy[name] += _processor_ms(pid) - worked
    return {name: (statistics.median(taken), busy[name] / photos) for name, taken in times.items()}


async def _ready(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(START_S):
        while True:
            try:
                if (await http.get("/readyz")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


async def _ask(http: httpx.AsyncClient, photo: bytes, user: int) -> str | None:
    headers = {"X-Forwarded-For": f"10.0.{user // 250}.{user % 250 + 1}"}
    try:
        response = await http.post("/api/photos", headers=headers, files={"file": photo})
    except httpx.TransportError:
        return None
    return str(response.json()["caption"]) if response.is_success else None


def _processor_ms(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timed", type=int, default=100)
    arguments = parser.parse_args()
    print("round  seconds  photos/s  lost  misrouted  web MiB")
    results = asyncio.run(soak(arguments.photos, arguments.users, arguments.rounds))
    for number, one in enumerate(results, start=1):
        print(
            f"{number:5}  {one.seconds:7.1f}  {one.photos_per_s:8.1f}  {one.lost:4}"
            f"  {one.misrouted:9}  {one.web_mib:7.0f}"
        )
    times = asyncio.run(overhead(arguments.timed))
    print("\nmilliseconds a photo, p50, one after the other")
    for name, (taken, busy) in times.items():
        more = taken - times["bare"][0]
        print(f"{name:15} {taken:6.1f}   +{more:5.1f}   processor of the web bot {busy:5.1f}")


if __name__ == "__main__":
    main()
