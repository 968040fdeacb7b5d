"""Four times as many callers as the server admits: who is served, and how.

    python -m benchmarks.overload [--seconds 10]

Callers arrive one by one, and once more all in the same instant. Those who are refused come
back when they are told to. Prints the latency of those admitted, at the limit and at four
times the limit, how quickly the rest is refused, and how quickly a health check answers
meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from benchmarks.photos import compose, jpeg
from benchmarks.serving import ServerProcess
from lookalike.v1 import photo_pb2, photo_pb2_grpc

LIMIT = 16
ARRIVE_S = 2.0


async def load(address: str, callers: int, seconds: float, arrive: float) -> dict[str, list[float]]:
    """Milliseconds of each call, by how it ended; the callers come within so many seconds."""
    times: dict[str, list[float]] = {"OK": [], "RESOURCE_EXHAUSTED": [], "health": []}
    request = photo_pb2.AnalyzePhotoRequest(photo=jpeg(compose()))
    end = time.perf_counter() + seconds

    async with grpc.aio.insecure_channel(address) as channel:
        photos = photo_pb2_grpc.PhotoServiceStub(channel)
        health: Any = health_pb2_grpc.HealthStub(channel)

        async def caller() -> None:
            await asyncio.sleep(random.uniform(0, arrive))
            while (started := time.perf_counter()) < end:
                try:
                    await photos.AnalyzePhoto(request)
                    code = "OK"
                    delay = 0.0
                except grpc.aio.AioRpcError as error:
                    code, delay = error.code().name, _retry_delay(error)
                times[code].append((time.perf_counter() - started) * 1000)
                # Clients that came together shall not all come back together.
                await asyncio.sleep(delay * random.uniform(0.5, 1.5))

        async def prober() -> None:
            while (started := time.perf_counter()) < end:
                await health.Check(health_pb2.HealthCheckRequest())
                times["health"].append((time.perf_counter() - started) * 1000)
                await asyncio.sleep(0.05)

        await asyncio.gather(prober(), *(caller() for _ in range(callers)))
    return times


def _retry_delay(error: grpc.aio.AioRpcError) -> float:
    """Seconds after which the server wants to be asked again."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # an error is a call, too
    for detail in status.details if status else ():
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            return float(info.retry_delay.ToTimedelta().total_seconds())
    raise error


def show(name: str, values: list[float]) -> None:
    """One row: count, p50, p90, p99."""
    if len(values) < 2:
        print(f"{name:18} {len(values):5}")
        return
    percentiles = statistics.quantiles(values, n=100)
    columns = (f"p{share} {percentiles[share - 1]:7.1f} ms" for share in (50, 90, 99))
    print(f"{name:18} {len(values):5}   {'   '.join(columns)}")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = ServerProcess(Path(folder))
        try:
            for callers, arrive in ((LIMIT, ARRIVE_S), (4 * LIMIT, ARRIVE_S), (4 * LIMIT, 0.0)):
                times = asyncio.run(load(server.address, callers, options.seconds, arrive))
                print(f"{callers} callers {f'within {arrive:g} s' if arrive else 'in one instant'}")
                for name, values in times.items():
                    show(name, values)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
