"""Celebrities that were asked for lately, so that a match costs no question to the database."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

import numpy as np

from model_server.gallery.celebrity import Celebrity
from model_server.gallery.exact import Keys
from model_server.gallery.reader import GalleryReader

__all__ = ["CelebrityCache"]

_MOST = 20_000
"""Celebrities kept; then all are dropped, which is simple and seldom."""

_MOST_FILTERS = 64


class CelebrityCache:
    """Remembers celebrities until they change. Thread-safe.

    Args:
        reader: Where they are read.
    """

    def __init__(self, reader: GalleryReader) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self._revision = -1
        self._by_key: dict[int, Celebrity] = {}
        self._by_id: dict[str, Celebrity] = {}
        self._filters: dict[tuple[str, ...], Keys] = {}

    def get(self, celebrity_id: str) -> Celebrity:
        """One celebrity.

        Raises:
            CelebrityNotFoundError: There is none of this id.
        """
        known = self._by_id.get(celebrity_id)
        if known is None:
            revision = self._revision
            known = self._reader.get(celebrity_id)
            self._keep(revision, {}, {celebrity_id: known})
        return known

    def by_keys(self, keys: Iterable[int]) -> dict[int, Celebrity]:
        """Those celebrities that are there, by key."""
        wanted = set(keys)
        known = {key: found for key in wanted if (found := self._by_key.get(key))}
        if missing := wanted - known.keys():
            revision = self._revision
            read = self._reader.by_keys(sorted(missing))
            self._keep(revision, read, {one.id: one for one in read.values()})
            known |= read
        return known

    def keys_with_tags(self, tags: Sequence[str]) -> Keys:
        """Keys of the celebrities that carry all of the tags."""
        wanted = tuple(sorted(set(tags)))
        keys = self._filters.get(wanted)
        if keys is None:
            revision = self._revision
            keys = np.array(self._reader.keys_with_tags(wanted), np.int64)
            with self._lock:
                if revision == self._revision:
                    if len(self._filters) >= _MOST_FILTERS:
                        self._filters.clear()
                    self._filters[wanted] = keys
        return keys

    def forget(self, ids: Sequence[str], revision: int) -> None:
        """Drops those that changed up to a revision."""
        with self._lock:
            self._revision = revision
            self._filters.clear()
            gone = set(ids)
            for celebrity_id in gone:
                self._by_id.pop(celebrity_id, None)
            self._by_key = {key: one for key, one in self._by_key.items() if one.id not in gone}

    def _keep(
        self, revision: int, by_key: dict[int, Celebrity], by_id: dict[str, Celebrity]
    ) -> None:
        with self._lock:
            # What was read before a change may be old: then it is not kept.
            if revision != self._revision:
                return
            if len(self._by_id) >= _MOST:
                self._by_id.clear()
                self._by_key.clear()
            self._by_key |= by_key
            self._by_id |= by_id
