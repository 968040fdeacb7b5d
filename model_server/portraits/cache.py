"""Portraits kept on disk, so that each is fetched once a month and not once a photo.

An entry is one file: a line of JSON (where the portrait is from, until when it is
good), then the bytes of the picture. An entry without a portrait keeps in mind
that there is none. Files appear whole or not at all and may be shared by several
servers. Where the folder cannot be written, some entries are kept in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_server.portraits.portrait import Portrait, PortraitSource

__all__ = ["CacheEntry", "PortraitCache"]

logger = logging.getLogger(__name__)

_SUFFIX = ".portrait"
_FORMAT = 1
_IN_MEMORY = 128  # entries
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """What was found out earlier.

    Attributes:
        portrait: The portrait; None where the provider had none.
        fresh: Whether it is still good; an old one is better than nothing.
    """

    portrait: Portrait | None
    fresh: bool


class PortraitCache:
    """A folder of portraits. Safe to use from several threads and processes.

    Args:
        folder: Made when it is needed.
        max_bytes: Of all entries together; those not used for the longest time go first.
        lifetime_s: How long a portrait is fresh.
        negative_lifetime_s: How long it is believed that there is none.
        now: Seconds since the epoch.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = 256 * 1024 * 1024,
        lifetime_s: float = 30 * _DAY_S,
        negative_lifetime_s: float = 3 * _DAY_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lifetime_s = lifetime_s
        self._negative_lifetime_s = negative_lifetime_s
        self._now = now
        self._lock = threading.Lock()
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._total_bytes: int | None = None  # counted at the first write
        self._complained = False

    def get(self, *key: str) -> CacheEntry | None:
        """The entry under the key, or None."""
        name = _file_name(key)
        path = self._folder / name
        with self._lock:
            data = self._memory.get(name)
        if data is None:
            try:
                data = path.read_bytes()
            except OSError:
                return None
            with contextlib.suppress(OSError):
                os.utime(path, (self._now(), self._now()))  # used just now
        entry = self._parse(data)
        if entry is None:
            with contextlib.suppress(OSError):
                path.unlink()  # damaged, or of another version
        return entry

    def put(self, portrait: Portrait | None, *key: str) -> None:
        """Keeps the portrait, or that there is none, under the key. Never fails."""
        lifetime = self._negative_lifetime_s if portrait is None else self._lifetime_s
        header: dict[str, Any] = {"format": _FORMAT, "fresh_until": self._now() + lifetime}
        image = b""
        if portrait is not None:
            image = portrait.image
            header |= {
                "mime_type": portrait.mime_type,
                "source": portrait.source.value,
                "artist": portrait.artist,
                "license": portrait.license,
                "license_url": portrait.license_url,
                "source_url": portrait.source_url,
                "bytes": len(image),
            }
        data = json.dumps(header).encode() + b"\n" + image
        name = _file_name(key)
        with self._lock:
            try:
                self._write(name, data)
                self._memory.pop(name, None)
            except OSError as error:
                if not self._complained:
                    logger.warning(
                        "portraits cannot be kept in %s: %s", self._folder.name, error.strerror
                    )
                    self._complained = True
                self._memory[name] = data
                self._memory.move_to_end(name)
                while len(self._memory) > _IN_MEMORY:
                    self._memory.popitem(last=False)

    def _write(self, name: str, data: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._total_bytes is None:
            self._total_bytes = sum(size for _, size, _ in self._entries())
        self._make_room(len(data))
        target = self._folder / name
        with contextlib.suppress(OSError):
            self._total_bytes -= target.stat().st_size
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
            try:
                file.write(data)
                file.close()
                os.utime(file.name, (self._now(), self._now()))
                os.replace(file.name, target)  # noqa: PTH105 - Path has no other atomic name for it
            except OSError:
                Path(file.name).unlink(missing_ok=True)
                raise
        self._total_bytes += len(data)

    def _make_room(self, wanted: int) -> None:
        """Removes the entries longest unused, a tenth more than needed: not at each write."""
        if self._total_bytes is None or self._total_bytes + wanted <= self._max_bytes:
            return
        entries = sorted(self._entries())  # counted anew: other servers write here too
        self._total_bytes = sum(size for _, size, _ in entries)
        goal = max(0, int(self._max_bytes * 0.9) - wanted)
        for _, size, path in entries:
            if self._total_bytes <= goal:
                return
            path.unlink(missing_ok=True)
            self._total_bytes -= size

    def _entries(self) -> list[tuple[float, int, Path]]:
        """Time of last use, bytes and path of each entry."""
        entries = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(OSError):  # another server may have removed it
                status = path.stat()
                entries.append((status.st_mtime, status.st_size, path))
        return entries

    def _parse(self, data: bytes) -> CacheEntry | None:
        line, _, image = data.partition(b"\n")
        try:
            header = json.loads(line)
            if header["format"] != _FORMAT:
                return None
            fresh = self._now() < header["fresh_until"]
            if "source" not in header:
                return CacheEntry(None, fresh)
            if header["bytes"] != len(image):
                return None
            portrait = Portrait(
                image=image,
                mime_type=header["mime_type"],
                source=PortraitSource(header["source"]),
                artist=header["artist"],
                license=header["license"],
                license_url=header["license_url"],
                source_url=header["source_url"],
            )
        except (ValueError, KeyError, TypeError):
            return None
        return CacheEntry(portrait, fresh)


def _file_name(key: tuple[str, ...]) -> str:
    """Of fixed length and harmless, whatever the key holds."""
    return hashlib.sha256("\0".join(key).encode()).hexdigest()[:40] + _SUFFIX
