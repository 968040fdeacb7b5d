"""Fairness: the queue and the rate."""

from __future__ import annotations

import asyncio

import pytest

from bots.core.limits import FairQueue, QueueFull, RateLimit


async def test_turns_go_round_the_people() -> None:
    """Whoever sends one photo does not wait behind somebody's ten."""
    queue = FairQueue(turns=1, waiting_per_user=10)
    order: list[str] = []

    async def work(user: str) -> None:
        async with queue.turn(user):
            order.append(user)

    async with asyncio.TaskGroup() as group, queue.turn("greedy"):
        for _ in range(5):
            group.create_task(work("greedy"))
        await asyncio.sleep(0)
        group.create_task(work("modest"))
        await asyncio.sleep(0)
    assert order == ["greedy", "modest", "greedy", "greedy", "greedy", "greedy"]


async def test_no_more_turns_are_given_than_there_are() -> None:
    """At any moment at most so many are inside."""
    queue = FairQueue(turns=3, waiting_per_user=50)
    inside = most = 0

    async def work(user: int) -> None:
        nonlocal inside, most
        async with queue.turn(user % 4):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    await asyncio.gather(*(work(n) for n in range(40)))
    assert (most, inside, queue.waiting) == (3, 0, 0)


async def test_too_much_waiting_is_refused() -> None:
    """One person's line is limited; another's is not touched."""
    queue = FairQueue(turns=1, waiting_per_user=1)
    async with queue.turn("a"):
        waiting = asyncio.create_task(_take(queue, "a"))
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            await _take(queue, "a")
        other = asyncio.create_task(_take(queue, "b"))
    await asyncio.gather(waiting, other)


async def test_giving_up_loses_no_turn() -> None:
    """Whoever is cancelled while waiting, or in the moment of the turn, leaves it to others."""
    queue = FairQueue(turns=1, waiting_per_user=5)
    async with queue.turn("a"):
        early = asyncio.create_task(_take(queue, "b"))
        late = asyncio.create_task(_take(queue, "c"))
        await asyncio.sleep(0)
        early.cancel()
        await asyncio.sleep(0)
    late.cancel()  # its turn has come just now
    await asyncio.gather(early, late, return_exceptions=True)
    async with asyncio.timeout(1):
        await _take(queue, "d")


async def test_giving_up_just_before_the_turn_is_giving_up() -> None:
    """The place is passed over before whoever gave it up has left."""
    queue = FairQueue(turns=1, waiting_per_user=5)
    async with queue.turn("a"):
        waiting = asyncio.create_task(_take(queue, "b"))
        await asyncio.sleep(0)
        waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(1):
        await _take(queue, "c")


async def _take(queue: FairQueue, user: str) -> None:
    async with queue.turn(user):
        pass


def test_the_rate_allows_a_burst_and_then_waits() -> None:
    """A minute's worth at once, the next after its share of a minute."""
    now = 0.0
    limit = RateLimit(6, clock=lambda: now)
    assert [limit.take("a") for _ in range(6)] == [0.0] * 6
    assert limit.take("a") == pytest.approx(10.0)
    assert limit.take("b") == 0.0
    now = 10.0
    assert limit.take("a") == 0.0


def test_an_album_larger_than_the_rate_passes_once() -> None:
    """It is paid off afterwards, rather than being refused for ever."""
    now = 0.0
    limit = RateLimit(6, clock=lambda: now)
    assert limit.take("a", 10) == 0.0
    assert limit.take("a") == pytest.approx(50.0)


def test_nothing_is_remembered_of_those_who_have_been_away() -> None:
    """Buckets that have filled up are dropped."""
    now = 0.0
    limit = RateLimit(6, clock=lambda: now)
    for user in range(100):
        limit.take(user)
    now = 120.0
    limit.take("last")
    assert len(limit._buckets) == 1
