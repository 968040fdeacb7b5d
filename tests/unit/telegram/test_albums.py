"""Albums: what was sent together is answered together."""

from __future__ import annotations

import asyncio

import pytest

from bots.telegram.albums import AlbumCollector


async def test_an_album_is_answered_once_by_whoever_came_first() -> None:
    """The first gets all items; the others wait for the answer."""
    collector: AlbumCollector[int] = AlbumCollector(0.1)
    answered: list[list[int]] = []
    followed: list[bool] = []

    async def handle(item: int) -> None:
        album = await collector.join("album", item)
        if album is None:
            followed.append(bool(answered))
            return
        with album:
            await asyncio.sleep(0.05)
            answered.append(album.items)

    async with asyncio.TaskGroup() as group:
        for item in range(3):
            group.create_task(handle(item))
            await asyncio.sleep(0.03)
    assert answered == [[0, 1, 2]]
    assert followed == [True, True]


async def test_a_full_album_does_not_wait() -> None:
    """Ten items are all there can be."""
    collector: AlbumCollector[int] = AlbumCollector(60.0, most=3)

    async def handle(item: int) -> int:
        album = await collector.join("album", item)
        if album is None:
            return 0
        with album:
            return len(album.items)

    async with asyncio.timeout(5):
        assert sorted(await asyncio.gather(*map(handle, range(3)))) == [0, 0, 3]


async def test_a_late_item_begins_another_album() -> None:
    """While the first is being answered, what comes is not lost in it."""
    collector: AlbumCollector[int] = AlbumCollector(0.02)
    first = await collector.join("album", 1)
    second = await collector.join("album", 2)
    assert first
    assert second
    assert (first.items, second.items) == ([1], [2])


async def test_when_the_work_is_cancelled_nobody_takes_it_for_answered() -> None:
    """At the end of the process the other items stay unanswered, too."""
    collector: AlbumCollector[int] = AlbumCollector(0.05)
    leader = asyncio.create_task(collector.join("album", 1))
    await asyncio.sleep(0)
    follower = asyncio.create_task(collector.join("album", 2))
    await asyncio.sleep(0)
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await follower
    assert await collector.join("album", 3)
