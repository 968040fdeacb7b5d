"""Blocking work beside the event loop: admitted, timed, and given up when nobody waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor
from dataclasses import replace
from typing import TypeVar

from model_server.admission import Admission
from model_server.analysis import Analysis, Comparison
from model_server.metrics import Metrics

__all__ = ["Workers"]

T = TypeVar("T")
R = TypeVar("R", Analysis, Comparison)


class Workers:
    """Runs what looks at photos.

    Args:
        executor: As many threads as photos are worked on at once.
        admission: Says how many photos may wait.
        metrics: Told how long each stage took.
    """

    def __init__(self, executor: Executor, admission: Admission, metrics: Metrics) -> None:
        self._executor = executor
        self._admission = admission
        self._metrics = metrics

    async def run(self, work: Callable[[Callable[[], bool]], T]) -> T:
        """Runs blocking work in a thread; gives it up when the call is cancelled.

        Args:
            work: Gets what tells whether the call was cancelled, to be asked now and then.

        Raises:
            OverloadedError: Too much is waiting already.
        """
        result, _ = await self._run(work)
        return result

    async def analyze(self, work: Callable[[Callable[[], bool]], R]) -> R:
        """As :meth:`run`; the time in the queue is added to the result's, and all are counted."""
        result, waited_ms = await self._run(work)
        timings = {"queue": waited_ms, **result.timings_ms}
        self._metrics.observe_stages(timings)
        return replace(result, timings_ms=timings)

    async def _run(self, work: Callable[[Callable[[], bool]], T]) -> tuple[T, float]:
        with self._admission.admit() as slot:
            cancelled = threading.Event()

            def begin() -> T:
                slot.begin()
                return work(cancelled.is_set)

            try:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._executor, begin), slot.waited_ms
            except CancelledError as error:
                raise asyncio.CancelledError from error
            finally:
                cancelled.set()
