"""From arguments to files to bytes."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from bots.console.errors import ConsoleError, ExitCode
from bots.core.client import MAX_MESSAGE_BYTES

__all__ = ["PHOTO_SUFFIXES", "STDIN", "expand", "photos_in", "read_photo"]

STDIN = "-"
PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".avif", ".heic", ".heif"}
)
# The request holds more than the photo, but not much.
_MAX_BYTES = MAX_MESSAGE_BYTES - 64 * 1024


def expand(arguments: Iterable[str]) -> Iterator[str]:
    """Photos named by the arguments, in their order.

    A folder stands for all photos in it and below it; a pattern that the shell left
    alone for what it matches; ``-`` for standard input. Files that are named are taken
    whatever they are called.

    Raises:
        ConsoleError: A folder or a pattern without photos.
    """
    for argument in arguments:
        path = Path(argument)
        if argument == STDIN:
            yield argument
        elif path.is_dir():
            yield from _some(photos_in(path, recursive=True), f"There is no photo in {argument}.")
        elif not path.exists() and glob.has_magic(argument):
            matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 - absolute ones too
            files = (match for match in matches if not Path(match).is_dir())
            yield from _some(files, f"Nothing matches {argument}.")
        else:
            yield argument


def _some(names: Iterable[str | Path], complaint: str) -> Iterator[str]:
    found = False
    for name in names:
        found = True
        yield str(name)
    if not found:
        raise ConsoleError(complaint, code=ExitCode.BAD_INPUT)


def photos_in(folder: Path, *, recursive: bool = False) -> Iterator[Path]:
    """Photos in the folder by their names' endings, sorted; hidden ones are left out."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise ConsoleError(
            f"{folder} cannot be read: {error.strerror}.", code=ExitCode.BAD_INPUT
        ) from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=False):
            if recursive:
                yield from photos_in(path, recursive=True)
        elif path.suffix.lower() in PHOTO_SUFFIXES:
            yield path


def read_photo(name: str) -> bytes:
    """The bytes of the file, or of standard input for ``-``.

    Raises:
        ConsoleError: It cannot be read, or is larger than any server takes.
    """
    if name == STDIN:
        data = sys.stdin.buffer.read(_MAX_BYTES + 1)
    else:
        try:
            with Path(name).open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a file name"
            raise ConsoleError(
                f"{name} cannot be read: {reason}.", code=ExitCode.BAD_INPUT
            ) from error
    if len(data) > _MAX_BYTES:
        raise ConsoleError(
            f"{name} has more than 20 MiB: send a smaller copy.", code=ExitCode.BAD_INPUT
        )
    return data
