"""How much work the server takes on before it says "later".

gRPC's own ``maximum_concurrent_rpcs`` counts health checks too, so this is ours.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from model_server.errors import OverloadedError

__all__ = ["Admission", "Slot"]

# Weight of the newest photo in the running mean of the seconds from admission to answer.
_SMOOTHING = 0.1
_FIRST_GUESS_S = 0.2


@dataclass(slots=True)
class Slot:
    """One admitted piece of work."""

    admitted: float = field(default_factory=time.perf_counter)
    began: float | None = None

    def begin(self) -> None:
        """Marks the end of the wait."""
        self.began = time.perf_counter()

    @property
    def waited_ms(self) -> float:
        """Milliseconds between admission and the beginning of the work."""
        return ((self.began or time.perf_counter()) - self.admitted) * 1000


class Admission:
    """Counts what is being worked on or waits, and turns away what is too much.

    Thread-safe.

    Args:
        limit: Pieces of work at the same time, those that wait included.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._in_flight = 0
        self._mean_s = _FIRST_GUESS_S

    @property
    def in_flight(self) -> int:
        """Pieces of work being done or waiting now."""
        return self._in_flight

    @property
    def full(self) -> bool:
        """Whether all places are taken."""
        return self._in_flight >= self._limit

    def refusal(self) -> OverloadedError:
        """What to tell those for whom there is no place, and when to come again.

        By then whoever is being served now has been served.
        """
        return OverloadedError(
            f"the server is busy with {self._in_flight} photos: try again shortly",
            retry_after_s=self._mean_s,
        )

    @contextmanager
    def admit(self) -> Iterator[Slot]:
        """Takes a place for as long as the block runs.

        Raises:
            OverloadedError: All places are taken; says when to come again.
        """
        with self._lock:
            if self.full:
                raise self.refusal()
            self._in_flight += 1
        slot = Slot()
        try:
            yield slot
        finally:
            with self._lock:
                self._in_flight -= 1
                if slot.began is not None:
                    took = time.perf_counter() - slot.admitted
                    self._mean_s += _SMOOTHING * (took - self._mean_s)
