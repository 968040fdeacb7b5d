"""Blocking work beside the event loop."""

import asyncio
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from model_server.admission import Admission
from model_server.analysis import Analysis
from model_server.errors import OverloadedError
from model_server.metrics import Metrics
from model_server.workers import Workers


@pytest.fixture
def admission():
    return Admission(1)


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def workers(admission, metrics):
    with ThreadPoolExecutor(1, thread_name_prefix="photo") as executor:
        yield Workers(executor, admission, metrics)


async def test_work_runs_in_the_executor_with_a_place(workers, admission):
    """Whoever finds no place is told so."""
    gate = threading.Event()

    def work(cancelled):
        gate.wait(5)
        return threading.current_thread().name, admission.in_flight

    running = asyncio.ensure_future(workers.run(work))
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await workers.run(work)
    gate.set()
    name, in_flight = await running
    assert name.startswith("photo")
    assert in_flight == 1
    assert admission.in_flight == 0


async def test_work_learns_that_its_call_was_cancelled(workers, admission):
    """It is given up, and its place is free at once."""
    began, ended = threading.Event(), threading.Event()

    def work(cancelled):
        began.set()
        while not cancelled():
            ended.wait(0.01)
        ended.set()
        raise CancelledError

    running = asyncio.ensure_future(workers.run(work))
    assert await asyncio.to_thread(began.wait, 5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert admission.in_flight == 0
    assert await asyncio.to_thread(ended.wait, 5)


async def test_an_analysis_tells_how_long_it_waited(workers, metrics):
    """The queue is one more stage, of the answer and of the metrics."""
    analysis = await workers.analyze(lambda _: Analysis(1, 1, timings_ms={"decode": 2.0}))
    assert list(analysis.timings_ms) == ["queue", "decode"]
    for stage in analysis.timings_ms:
        labels = {"stage": stage}
        assert metrics.registry.get_sample_value("lookalike_stage_seconds_count", labels) == 1
