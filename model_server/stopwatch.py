"""How long each stage takes, and whether anybody still waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field

__all__ = ["Stopwatch"]


@dataclass(slots=True)
class Stopwatch:
    """Milliseconds by stage, and the place where a caller who left is noticed."""

    cancelled: Callable[[], bool] = lambda: False
    timings_ms: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times a stage, unless the caller has left: then it is not begun.

        Raises:
            CancelledError: Nobody waits for the answer any more.
        """
        if self.cancelled():
            raise CancelledError
        started = time.perf_counter()
        yield
        elapsed = (time.perf_counter() - started) * 1000
        self.timings_ms[name] = self.timings_ms.get(name, 0.0) + elapsed

    def finish(self) -> dict[str, float]:
        """All stages and the total."""
        return {**self.timings_ms, "total": (time.perf_counter() - self.started) * 1000}
