"""Leaving a provider alone while it is out of order."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["CircuitBreaker"]


class CircuitBreaker:
    """Opens after some failures in a row; lets one call through each time it has cooled down.

    (Nygard, Release It!, 2nd ed. 2018, "Circuit Breaker".) To be used from one event loop.

    Args:
        max_failures: So many in a row open it.
        cool_down_s: How long it stays open.
        clock: Seconds that only ever grow.
    """

    def __init__(
        self,
        *,
        max_failures: int = 5,
        cool_down_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_failures = max_failures
        self._cool_down_s = cool_down_s
        self._clock = clock
        self._failures = 0
        self._closed_at = 0.0  # when it may be tried again

    def allows(self) -> bool:
        """Whether a call may be made now; if so, make it and report how it went."""
        if self._failures < self._max_failures:
            return True
        now = self._clock()
        if now < self._closed_at:
            return False
        # One call tries it out; the others wait for its outcome, or another cool-down
        # where it is never reported.
        self._closed_at = now + self._cool_down_s
        return True

    def succeeded(self) -> None:
        """The call went well."""
        self._failures = 0

    def failed(self, retry_after_s: float | None = None) -> None:
        """The call went wrong.

        Args:
            retry_after_s: Opens at once for so long, if given.
        """
        self._failures = (
            self._failures + 1 if retry_after_s is None else max(self._max_failures, self._failures)
        )
        if self._failures >= self._max_failures:
            self._closed_at = self._clock() + (retry_after_s or self._cool_down_s)
