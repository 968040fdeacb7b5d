"""Enrols many photos: with a report, and going on where it was stopped."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from model_server.errors import (
    CelebrityExistsError,
    CelebrityNotFoundError,
    DuplicatePhotoError,
    GalleryUnavailableError,
    LookalikeError,
)
from model_server.gallery.celebrity import check_celebrity
from model_server.gallery.gallery import Gallery, photo_digest
from model_server.gallery.rebuild import Enroller
from model_server.gallery.records import NewFace
from model_server.gallery.sources import Candidate
from model_server.portraits.portrait import PortraitProviderError

__all__ = ["ImportReport", "Journal", "import_photos"]

log = logging.getLogger(__name__)

_TRIES = 3
_LONGEST_PAUSE_S = 120.0


@dataclass(slots=True)
class ImportReport:
    """What became of the photos.

    Attributes:
        people: Celebrities that were created.
        photos: Faces that were enrolled.
        known: Photos that were there already, or done in an earlier run.
        skipped: Source and reason of each photo that was not enrolled.
    """

    people: int = 0
    photos: int = 0
    known: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)


class Journal:
    """Sources that are done, one a line, so that a second run passes them over.

    Args:
        path: The file; None keeps no journal.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._done: set[str] = set()
        if path and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    self._done.add(json.loads(line))
                except ValueError:
                    continue  # cut off when the last run was killed

    def __contains__(self, source: str) -> bool:
        return source in self._done

    def add(self, source: str) -> None:
        """Notes a source; at once, for the next moment may be the last."""
        self._done.add(source)
        if self._path:
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n" + json.dumps(source))


async def import_photos(
    gallery: Gallery,
    enroller: Enroller,
    candidates: AsyncIterator[Candidate],
    *,
    keep_pictures: bool = False,
    journal: Journal | None = None,
    progress: Callable[[Candidate, ImportReport], None] = lambda _candidate, _report: None,
) -> ImportReport:
    """Enrols photos, one by one; each is committed before the next is looked at.

    Args:
        gallery: Where to.
        enroller: Finds and embeds the face.
        candidates: The photos.
        keep_pictures: Keep the heads too, as portraits and for other embedders.
        journal: Of an earlier run.
        progress: Called after each photo.

    Raises:
        GalleryUnavailableError: The database does not answer: what is done stays done.
    """
    report = ImportReport()
    journal = journal or Journal(None)
    async for candidate in candidates:
        if candidate.source in journal:
            report.known += 1
        else:
            try:
                await _import_one(gallery, enroller, candidate, keep_pictures, report)
            except DuplicatePhotoError:
                report.known += 1
                journal.add(candidate.source)
            except GalleryUnavailableError:
                raise
            except LookalikeError as error:
                report.skipped.append((candidate.source, error.message))
            except (PortraitProviderError, OSError) as error:
                report.skipped.append((candidate.source, str(error)))
            else:
                journal.add(candidate.source)
        progress(candidate, report)
    return report


async def _import_one(
    gallery: Gallery,
    enroller: Enroller,
    candidate: Candidate,
    keep_picture: bool,
    report: ImportReport,
) -> None:
    celebrity = candidate.celebrity
    check_celebrity(celebrity)
    photo = await _load(candidate)
    seen = await asyncio.to_thread(enroller.enrol, photo)
    picture = seen.picture if keep_picture else None
    face = NewFace(seen.embedding, seen.quality, photo_digest(photo), picture)
    try:
        await asyncio.to_thread(gallery.add_face, celebrity.id, face)
    except CelebrityNotFoundError:
        try:
            await asyncio.to_thread(gallery.create, celebrity, [face])
            report.people += 1
        except CelebrityExistsError:  # another import was quicker
            await asyncio.to_thread(gallery.add_face, celebrity.id, face)
    report.photos += 1


async def _load(candidate: Candidate) -> bytes:
    """The photo; a host that asks to wait is given its time."""
    for left in reversed(range(_TRIES)):
        try:
            return await candidate.load()
        except PortraitProviderError as error:
            if not left or error.retry_after_s is None:
                raise
            pause_s = min(error.retry_after_s, _LONGEST_PAUSE_S)
            log.info("waiting for %.0f s: %s", pause_s, error)
            await asyncio.sleep(pause_s)
    raise AssertionError("the last try returns or raises")
