"""One photo, everything returned: server, in process, and the plain way, in one run.

The plain way comes three times: told where the face is, looking for it, and looking for it
and describing it as well, which is what our answer has.

    python -m benchmarks.serving [--seconds 20] [--json]

Prints p50 and photos/s at concurrency 1 and 8, start to SERVING, and resident memory.
The ways take turns in short rounds, so that other load on the machine hits all alike.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.photos import compose, jpeg
from lookalike.v1 import photo_pb2, photo_pb2_grpc
from model_server.analyzer import AnalyzeOptions
from model_server.backend import Backend
from model_server.metrics import Metrics
from model_server.settings import ServerSettings

ROUNDS = 4
Answer = Callable[[], Awaitable[object]]


@dataclass(slots=True)
class Load:
    """What came of asking.

    Attributes:
        times: Seconds that each answer took.
        elapsed_s: From the first question to the last answer of each round, together.
    """

    times: list[float] = field(default_factory=list)
    elapsed_s: float = 0.0

    def add(self, other: Load) -> None:
        """Another round."""
        self.times += other.times
        self.elapsed_s += other.elapsed_s

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return len(self.times) / self.elapsed_s


async def load(answer: Answer, concurrency: int, seconds: float) -> Load:
    """Asks for so long, so many at a time, and waits for what was begun.

    That time counts: what takes long would otherwise have it for nothing.
    """
    times: list[float] = []
    began = time.perf_counter()
    end = began + seconds

    async def worker() -> None:
        while (started := time.perf_counter()) < end:
            await answer()
            times.append(time.perf_counter() - started)

    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return Load(times, time.perf_counter() - began)


class ServerProcess:
    """A model server of its own process on a free port, with an empty data directory."""

    def __init__(self, folder: Path) -> None:
        port_file = folder / "port"
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "model_server", "--port", "0", "--port-file", str(port_file)],
            env={**os.environ, "LOOKALIKE_DATA_DIR": str(folder), "LOOKALIKE_LOG_LEVEL": "ERROR"},
        )
        while not port_file.exists():
            time.sleep(0.01)
        self.address = f"127.0.0.1:{int(port_file.read_text())}"
        request = health_pb2.HealthCheckRequest(service="lookalike.v1.PhotoService")
        with grpc.insecure_channel(self.address) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            while stub.Check(request).status != health_pb2.HealthCheckResponse.SERVING:
                time.sleep(0.01)
        self.start_s = time.perf_counter() - started

    def resident_mib(self) -> float:
        """Resident memory of the process."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def stop(self) -> None:
        """As a supervisor would."""
        self.process.terminate()
        self.process.wait(60)


class PlainProcess:
    """The plain way in a process of its own, so that neither side's settings reach the other."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        port_file = folder / f"plain{len(arguments)}"
        command = [sys.executable, "-m", "benchmarks.baseline", "--port-file", str(port_file)]
        self.process = subprocess.Popen([*command, *arguments])
        while not port_file.exists():
            if self.process.poll() is not None:
                raise SystemExit("the plain way did not start: see above")
            time.sleep(0.05)
        self.url = f"http://127.0.0.1:{int(port_file.read_text())}/"

    def post(self, photo: bytes) -> bytes:
        """One photo."""
        with urllib.request.urlopen(self.url, photo) as response:
            return bytes(response.read())

    def stop(self) -> None:
        """At once: it has nothing to lose."""
        self.process.kill()
        self.process.wait()


async def measure(seconds: float) -> dict[str, object]:
    """All figures."""
    photo = jpeg(compose())
    with tempfile.TemporaryDirectory() as folder:
        server = ServerProcess(Path(folder))
        backend = Backend(
            ServerSettings(data_dir=Path(folder) / "in-process", max_in_flight=64), Metrics()
        )
        backend.load()
        plain = PlainProcess(Path(folder))
        finding = PlainProcess(Path(folder), "--find-faces")
        whole = PlainProcess(Path(folder), "--find-faces", "--describe-faces")
        pool = ThreadPoolExecutor(8)
        loop = asyncio.get_running_loop()
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub = photo_pb2_grpc.PhotoServiceStub(channel)
            request = photo_pb2.AnalyzePhotoRequest(photo=photo)
            analyzer = backend.analyzer
            ways: dict[str, Answer] = {
                "server": lambda: stub.AnalyzePhoto(request),
                "in process": lambda: loop.run_in_executor(
                    backend.executor, analyzer.analyze, photo, AnalyzeOptions()
                ),
                "plain way": lambda: loop.run_in_executor(pool, plain.post, photo),
                "plain, finding": lambda: loop.run_in_executor(pool, finding.post, photo),
                "plain, whole": lambda: loop.run_in_executor(pool, whole.post, photo),
            }
            figures: dict[str, object] = {"start_s": round(server.start_s, 2)}
            for concurrency in (1, 8):
                loads = {name: Load() for name in ways}
                for answer in ways.values():
                    await load(answer, concurrency, 1.0)
                for _ in range(ROUNDS):
                    for name, answer in ways.items():
                        loads[name].add(await load(answer, concurrency, seconds / ROUNDS))
                for name, one in loads.items():
                    figures[f"{name} @{concurrency}"] = {
                        "p50_ms": round(statistics.median(one.times) * 1000, 1),
                        "p99_ms": round(statistics.quantiles(one.times, n=100)[98] * 1000, 1),
                        "photos_per_s": round(one.per_s, 2),
                    }
            figures["resident_mib"] = round(server.resident_mib())
        for process in (plain, finding, whole):
            process.stop()
        await backend.close()
        server.stop()
    return figures


def main() -> None:
    """Prints the figures and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="per way and concurrency")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = asyncio.run(measure(options.seconds))
    if options.json:
        print(json.dumps(figures))
        return
    for name, values in figures.items():
        print(f"{name:16} {values}")

    def ratio(key: str, first: str, second: str) -> float:
        one, other = figures[first], figures[second]
        assert isinstance(one, dict)
        assert isinstance(other, dict)
        return float(one[key]) / float(other[key])

    p50 = ratio("p50_ms", "server @1", "in process @1")
    speed = ratio("photos_per_s", "server @8", "in process @8")
    plain = ratio("photos_per_s", "server @8", "plain way @8")
    finding = ratio("photos_per_s", "server @8", "plain, finding @8")
    whole = ratio("photos_per_s", "server @8", "plain, whole @8")
    print(f"p50 @1, server / in process:         {p50:.2f}   (at most 1.15)")
    print(f"photos/s @8, server / in process:    {speed:.2f}   (at least 0.9)")
    print(f"photos/s @8, server / the plain way: {plain:.2f}   (at least 4)")
    print(f"photos/s @8, server / the same, finding faces: {finding:.2f}")
    print(f"photos/s @8, server / the same, describing them too: {whole:.2f}")


if __name__ == "__main__":
    main()
