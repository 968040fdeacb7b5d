"""Comparisons that were asked for and wait for their photos."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from bots.core.answer import Asker
from bots.core.store import Scope, SettingsStore
from bots.telegram.files import Attachment

__all__ = ["Comparisons"]

_WAITS_S = 600


class Comparisons:
    """Brings the two photos of a comparison together, for each person in each chat.

    Of the first photo only the file's id is written down.

    Args:
        store: Where it is written down, so that a restart loses nothing.
    """

    def __init__(self, store: SettingsStore) -> None:
        self._store = store
        # Two photos sent at once are handled side by side: each must see the other.
        self._lock = asyncio.Lock()

    async def begin(self, asker: Asker, first: Attachment | None = None) -> None:
        """The asker's next photos in this chat are to be compared."""
        await self._write(asker, f"{time.time():.0f}", first)

    async def add(self, asker: Asker, photos: Sequence[Attachment]) -> list[Attachment]:
        """Takes photos for the comparison that was asked for.

        Returns:
            All that were given so far: with two the comparison is over, with one it waits
            for the second. Empty where none was asked for within the last ten minutes.
        """
        if not photos:
            return []
        async with self._lock:
            state = await self._store.get(Scope.USER, asker.user, _name(asker))
            if state is None:
                return []
            begun, _, first = state.partition(" ")
            if time.time() - float(begun) > _WAITS_S:
                await self._store.put(Scope.USER, asker.user, _name(asker), None)
                return []
            given = [Attachment(first), *photos] if first else list(photos)
            if len(given) == 1:
                await self._write(asker, begun, given[0])
            else:
                await self._store.put(Scope.USER, asker.user, _name(asker), None)
            return given

    async def _write(self, asker: Asker, begun: str, first: Attachment | None) -> None:
        value = f"{begun} {first.file_id if first else ''}"
        await self._store.put(Scope.USER, asker.user, _name(asker), value)


def _name(asker: Asker) -> str:
    return f"comparing {asker.chat}"
