"""Albums: photos sent together arrive one by one, and nothing says which is the last."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar

__all__ = ["Album", "AlbumCollector"]

T = TypeVar("T")


@dataclass(slots=True)
class Album(Generic[T]):
    """Items that were sent together.

    Attributes:
        items: In the order of their arrival.
    """

    items: list[T] = field(default_factory=list)
    _grown: asyncio.Event = field(default_factory=asyncio.Event)
    _answered: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    async def collect(self, wait_s: float, most: int) -> None:
        """Waits until nothing more comes."""
        while len(self.items) < most:
            self._grown.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._grown.wait()
            except TimeoutError:
                return

    async def add(self, item: T) -> None:
        """Adds an item and waits for the answer.

        Raises:
            CancelledError: There will be none.
        """
        self.items.append(item)
        self._grown.set()
        await asyncio.shield(self._answered)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """The album has been answered, or what should have answered it was cancelled."""
        if kind is not None and issubclass(kind, asyncio.CancelledError):
            self._answered.cancel()
        elif not self._answered.done():
            self._answered.set_result(None)


class AlbumCollector(Generic[T]):
    """Brings the items of albums together.

    Args:
        wait_s: An album is complete when so long nothing has come.
        most: Items of an album; with them it is complete at once.
    """

    def __init__(self, wait_s: float, most: int = 10) -> None:
        self._wait_s = wait_s
        self._most = most
        self._open: dict[str, Album[T]] = {}

    async def join(self, key: str, item: T) -> Album[T] | None:
        """Adds an item to its album; call it before anything slow, such as a download.

        Returns:
            To the first caller the album, once complete, to be answered within ``with``;
            to the others None, when it has been answered. What comes too late for its
            album begins another.
        """
        album = self._open.get(key)
        if album is not None:
            await album.add(item)
            return None
        album = self._open[key] = Album([item])
        try:
            await album.collect(self._wait_s, self._most)
        except asyncio.CancelledError:
            with album:
                raise
        finally:
            del self._open[key]
        return album
