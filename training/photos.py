"""Photos of a data set, from a folder or a tar, decoded the way that the server decodes them."""

from __future__ import annotations

import hashlib
import tarfile
import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from model_server.analysis import Image
from model_server.errors import InvalidPhotoError
from model_server.imaging import DecodedPhoto, decode

__all__ = [
    "PHOTO_SUFFIXES",
    "BrokenPhotoError",
    "FolderPhotos",
    "Photos",
    "TarPhotos",
    "decode_photo",
    "open_photos",
    "picture_digest",
]

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".heic", ".heif"}
"""Of the formats that the server reads."""


class BrokenPhotoError(ValueError):
    """A file that looks like a photo cannot be decoded."""


class Photos(Protocol):
    """Photos by name."""

    @property
    def names(self) -> Sequence[str]:
        """All names, sorted."""
        ...

    def read(self, name: str) -> bytes:
        """The photo's file.

        Raises:
            KeyError: There is none of that name.
        """
        ...

    def open(self, name: str) -> Image:
        """The pixels that a captioner is served: RGB uint8, shape (height, width, 3).

        Raises:
            KeyError: There is none of that name.
            BrokenPhotoError: It cannot be decoded.
        """
        ...


def decode_photo(photos: Photos, name: str) -> DecodedPhoto:
    """The photo as the server decodes it; faces are found in its ``pixels``.

    Raises:
        KeyError: There is none of that name.
        BrokenPhotoError: It cannot be decoded, or the server would not take it.
    """
    try:
        return decode(photos.read(name))
    except InvalidPhotoError as error:
        raise BrokenPhotoError(f"{name}: {error}") from error


class FolderPhotos:
    """The photos in a folder and its subfolders; names are relative paths with slashes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = sorted(
            file.relative_to(folder).as_posix()
            for file in folder.rglob("*")
            if file.suffix.lower() in PHOTO_SUFFIXES
        )
        self._known = set(self._names)

    @property
    def names(self) -> Sequence[str]:
        """All names, sorted."""
        return self._names

    def read(self, name: str) -> bytes:
        """The photo's file."""
        if name not in self._known:
            raise KeyError(name)
        return (self._folder / name).read_bytes()

    def open(self, name: str) -> Image:
        """The pixels that a captioner is served."""
        return decode_photo(self, name).reduced


class TarPhotos:
    """The photos in an uncompressed tar. May be read from several threads."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        with tarfile.open(file, "r:") as tar:
            self._places = {
                member.name.removeprefix("./"): (member.offset_data, member.size)
                for member in tar
                if member.isfile() and Path(member.name).suffix.lower() in PHOTO_SUFFIXES
            }
        self._stream = file.open("rb")
        weakref.finalize(self, self._stream.close)

    @property
    def names(self) -> Sequence[str]:
        """All names, sorted."""
        return sorted(self._places)

    def read(self, name: str) -> bytes:
        """The photo's file."""
        offset, size = self._places[name]
        with self._lock:
            self._stream.seek(offset)
            return self._stream.read(size)

    def open(self, name: str) -> Image:
        """The pixels that a captioner is served."""
        return decode_photo(self, name).reduced

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)


_digests: weakref.WeakKeyDictionary[Photos, dict[str, str]] = weakref.WeakKeyDictionary()


def picture_digest(photos: Photos, name: str) -> str:
    """Hex digest of a photo's file; read once for each collection of photos."""
    known = _digests.setdefault(photos, {})
    if name not in known:
        known[name] = hashlib.sha256(photos.read(name)).hexdigest()
    return known[name]


def open_photos(path: Path) -> Photos:
    """A folder or a tar of photos.

    Raises:
        FileNotFoundError: There is neither.
        ValueError: It is a file, but no uncompressed tar.
    """
    if path.is_dir():
        return FolderPhotos(path)
    if path.is_file():
        try:
            return TarPhotos(path)
        except tarfile.TarError as error:
            raise ValueError(f"{path} is no uncompressed tar: {error}") from error
    raise FileNotFoundError(f"{path} is neither a folder nor a tar of photos")
