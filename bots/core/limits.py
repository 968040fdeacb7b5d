"""Fairness: whose photo is next, and who has to wait."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager

__all__ = ["FairQueue", "QueueFull", "RateLimit"]


class QueueFull(Exception):  # noqa: N818 - named as people say it
    """Somebody has too much waiting already."""


class FairQueue:
    """A few turns at a time, shared out evenly among those who wait.

    Whoever sends a hundred photos waits behind the one who sends a single one: free
    turns go round the people, not along the photos. Used within one event loop.

    Args:
        turns: Taken at the same time.
        waiting_per_user: At the most.
    """

    def __init__(self, turns: int, waiting_per_user: int) -> None:
        self._free = turns
        self._most = waiting_per_user
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return sum(len(line) for line in self._waiting.values())

    @asynccontextmanager
    async def turn(self, user: Hashable) -> AsyncIterator[None]:
        """Waits for a turn and holds it as long as the block runs.

        Raises:
            QueueFull: ``user`` has too much waiting already.
        """
        await self._acquire(user)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, user: Hashable) -> None:
        if self._free and not self._waiting:
            self._free -= 1
            return
        line = self._waiting.setdefault(user, deque())
        if len(line) >= self._most:
            raise QueueFull
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._release()  # the turn came in the very moment of giving up
            elif place in line:  # else it was passed over: its turn went to the next
                line.remove(place)
                if not line:
                    self._waiting.pop(user, None)
            raise

    def _release(self) -> None:
        while self._waiting:
            user, line = next(iter(self._waiting.items()))
            place = line.popleft()
            if line:
                self._waiting.move_to_end(user)
            else:
                del self._waiting[user]
            if not place.done():
                place.set_result(None)
                return
        self._free += 1


class RateLimit:
    """So many a minute for each key, all at once if need be (a token bucket).

    Args:
        per_minute: Allowed for each key.
        clock: Seconds; another one for tests.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = float(per_minute)
        self._per_s = per_minute / 60
        self._clock = clock
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable, count: int = 1) -> float:
        """Takes ``count`` for ``key``.

        Returns:
            0 where it was allowed, else the seconds after which it will be.
        """
        now = self._clock()
        left, when = self._buckets.pop(key, (self._size, now))
        left = min(self._size, left + (now - when) * self._per_s)
        wait = 0.0
        if left >= min(count, self._size):
            left -= count  # may go below 0 for more than a minute's worth: paid off later
        else:
            wait = (min(count, self._size) - left) / self._per_s
        self._buckets[key] = (left, now)
        self._forget_full(now)
        return wait

    def _forget_full(self, now: float) -> None:
        """Drops the longest unused buckets, for they have filled up again."""
        while self._buckets:
            key, (left, when) = next(iter(self._buckets.items()))
            if left + (now - when) * self._per_s < self._size:
                return
            del self._buckets[key]
