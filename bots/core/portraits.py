"""Portraits of celebrities: fetched side by side, remembered, never waited for too long."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from bots.core.client import LookalikeClient
from bots.core.errors import ClientError
from lookalike.v1 import celebrity_pb2

__all__ = ["PortraitShelf"]

log = logging.getLogger(__name__)

Portrait = celebrity_pb2.GetCelebrityPortraitResponse


_KEPT_S = 6 * 3600.0
"""Portraits are taken down or exchanged now and then."""
_CARD_KEPT_S = 600.0
"""The server draws a card where no picture is at hand yet: soon there may be one."""


class PortraitShelf:
    """Gets portraits from the model server and remembers them for a while.

    Args:
        client: Of the model server.
        patience_s: A card does without what takes longer; it is kept for the next card.
        most: Portraits remembered.
        width_px: Asked for.
        clock: Seconds; another one for tests.
    """

    def __init__(
        self,
        client: LookalikeClient,
        *,
        patience_s: float = 4.0,
        most: int = 500,
        width_px: int = 500,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._patience_s = patience_s
        self._most = most
        self._width_px = width_px
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Portrait]] = OrderedDict()
        self._coming: dict[str, asyncio.Task[None]] = {}

    async def get(self, names: Iterable[str]) -> dict[str, Portrait]:
        """Portraits by the celebrity's name; those that cannot be had in time are missing."""
        wanted = list(dict.fromkeys(names))
        now = self._clock()
        missing = [n for n in wanted if n not in self._kept or self._kept[n][0] <= now]
        for name in missing:
            self._kept.pop(name, None)
        if missing:
            await asyncio.wait([self._fetching(name) for name in missing], timeout=self._patience_s)
        found = {name: self._kept[name][1] for name in wanted if name in self._kept}
        for name in found:
            self._kept.move_to_end(name)
        return found

    async def close(self) -> None:
        """Gives up what is still being fetched."""
        tasks = list(self._coming.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fetching(self, name: str) -> asyncio.Task[None]:
        task = self._coming.get(name)
        if task is None:
            task = asyncio.create_task(self._fetch(name))
            self._coming[name] = task
            task.add_done_callback(lambda _: self._coming.pop(name, None))
        return task

    async def _fetch(self, name: str) -> None:
        try:
            portrait = await self._client.portrait(name, width_px=self._width_px)
        except ClientError as error:
            log.warning("no portrait of %s: %s", name, error.reason or type(error).__name__)
            return
        drawn = portrait.source == celebrity_pb2.PORTRAIT_SOURCE_CARD
        self._kept[name] = (self._clock() + (_CARD_KEPT_S if drawn else _KEPT_S), portrait)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
