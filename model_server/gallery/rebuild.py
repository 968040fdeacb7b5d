"""Moves a gallery to another embedder: kept pictures are embedded anew.

Faces of several embedders lie side by side in the database. Servers with the old one go
on as before, those with the new one see what has been embedded so far; nobody waits.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from model_server.analysis import FloatArray
from model_server.errors import (
    GalleryMismatchError,
    GalleryUnavailableError,
    LookalikeError,
)
from model_server.gallery.records import NewFace, face_columns
from model_server.gallery.schema import CELEBRITIES, FACES, PICTURES
from model_server.gallery.store import GalleryStore

__all__ = ["Enroller", "Rebuild", "Seen", "lost_people", "prune", "refuse_lost_people"]

log = logging.getLogger(__name__)


class Seen(Protocol):
    """What an enroller makes of a photo."""

    @property
    def embedding(self) -> FloatArray:
        """Unit vector, shape (D,)."""
        ...

    @property
    def quality(self) -> float:
        """0..1."""
        ...

    @property
    def picture(self) -> bytes | None:
        """JPEG of the head."""
        ...


class Enroller(Protocol):
    """Looks at the photo of a celebrity-to-be."""

    def enrol(self, data: bytes) -> Seen:
        """The one face of a photo."""
        ...


def lost_people(store: GalleryStore) -> list[str]:
    """Names of those whose faces only another embedder can read and who have no picture."""
    own = sa.exists().where(
        FACES.c.celebrity_key == CELEBRITIES.c.key,
        FACES.c.embedder_version == store.embedder_version,
    )
    other = sa.exists().where(
        FACES.c.celebrity_key == CELEBRITIES.c.key,
        FACES.c.embedder_version != store.embedder_version,
    )
    picture = sa.exists().where(PICTURES.c.celebrity_key == CELEBRITIES.c.key)
    query = (
        sa.select(CELEBRITIES.c.display_name)
        .where(other, ~own, ~picture)
        .order_by(CELEBRITIES.c.sort_key)
    )
    with store.database.reading() as connection:
        return list(connection.scalars(query))


def refuse_lost_people(store: GalleryStore) -> None:
    """Checks that nobody would silently stop being matched.

    Raises:
        GalleryMismatchError: Somebody has neither a face of this embedder nor a picture
            that it could be made from.
    """
    if not (lost := lost_people(store)):
        return
    shown = ", ".join(lost[:3]) + (", …" if len(lost) > 3 else "")
    raise GalleryMismatchError(
        f"{len(lost)} people in the gallery ({shown}) were enrolled with another embedder and "
        f"without pictures, so that {store.embedder_version} cannot read their faces: run the "
        "bundles that they were enrolled with, or remove their old faces with "
        '"python -m model_server.gallery prune" and enrol their photos again, '
        "this time keeping the pictures",
        metadata={"people": str(len(lost))},
    )


def prune(store: GalleryStore) -> int:
    """Removes the faces of all other embedders, once no server uses them any more.

    Returns:
        How many.
    """
    with store.writing() as (connection, _):
        # People whose pictures are still to be embedded keep their old faces' digests.
        done = sa.select(FACES.c.picture_id).where(
            FACES.c.embedder_version == store.embedder_version, FACES.c.picture_id.is_not(None)
        )
        removed = connection.execute(
            sa.delete(FACES).where(
                FACES.c.embedder_version != store.embedder_version,
                sa.or_(FACES.c.picture_id.is_(None), FACES.c.picture_id.in_(done)),
            )
        )
        return removed.rowcount


class Rebuild:
    """Embeds pictures that the present embedder has not seen; starts when it is made.

    Args:
        store: The gallery.
        enroller: With the present embedder.
        refresh: Called after each picture that was embedded.

    Attributes:
        done: Pictures embedded so far.
        failed: Pictures in which the present models find no usable face.
    """

    def __init__(
        self, store: GalleryStore, enroller: Enroller, refresh: Callable[[], None]
    ) -> None:
        self.done = 0
        self.failed = 0
        self._store = store
        self._enroller = enroller
        self._refresh = refresh
        self._error: Exception | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gallery-rebuild", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Waits until all is done.

        Raises:
            GalleryUnavailableError: It was interrupted; what is left is done the next time.
        """
        self._thread.join()
        if self._error:
            raise self._error

    def close(self) -> None:
        """Stops after the picture at hand; what is left is done the next time."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            pending = self._pending()
            for picture_id in pending:
                if self._stop.is_set():
                    return
                self._embed(picture_id)
        except GalleryUnavailableError as error:
            self._error = error
            log.warning("embedding pictures anew was interrupted: %s", error.message)
        except Exception as error:  # else nobody would hear of it
            self._error = error
            log.exception("embedding pictures anew was interrupted")
        else:
            if pending:
                log.info("pictures embedded anew", extra={"done": self.done, "failed": self.failed})

    def _pending(self) -> list[int]:
        seen = sa.exists().where(
            FACES.c.picture_id == PICTURES.c.id,
            FACES.c.embedder_version == self._store.embedder_version,
        )
        with self._store.database.reading() as connection:
            return list(connection.scalars(sa.select(PICTURES.c.id).where(~seen)))

    def _embed(self, picture_id: int) -> None:
        with self._store.database.reading() as connection:
            picture = connection.scalar(
                sa.select(PICTURES.c.content).where(PICTURES.c.id == picture_id)
            )
        if picture is None:
            return  # deleted meanwhile
        try:
            seen = self._enroller.enrol(picture)
        except LookalikeError as error:
            self.failed += 1
            log.warning("a picture cannot be embedded anew: %s", error.message)
            return
        with self._store.writing() as (connection, revision):
            old = connection.execute(
                sa.select(
                    FACES.c.celebrity_key, FACES.c.photo_digest, FACES.c.embedder_version
                ).where(FACES.c.picture_id == picture_id)
            ).all()
            # Another replica may have been quicker, and the person may be gone.
            if not old or any(row.embedder_version == self._store.embedder_version for row in old):
                return
            key, digest = old[0].celebrity_key, old[0].photo_digest
            if digest and self._is_enrolled(connection, picture_id, key, digest):
                return
            face = NewFace(seen.embedding, seen.quality, digest)
            connection.execute(
                sa.insert(FACES).values(
                    face_columns(
                        key,
                        face,
                        self._store.embedder_version,
                        from_seed=False,
                        picture_id=picture_id,
                    )
                )
            )
            connection.execute(
                sa.update(CELEBRITIES)
                .where(CELEBRITIES.c.key == key)
                .values(revision=revision, faces_revision=revision)
            )
        self.done += 1
        self._refresh()

    def _is_enrolled(self, connection: Connection, picture_id: int, key: int, digest: str) -> bool:
        """Whether the picture's photo was enrolled with this embedder too; joins the two then."""
        face = connection.execute(
            sa.select(FACES.c.id, FACES.c.picture_id).where(
                FACES.c.celebrity_key == key,
                FACES.c.embedder_version == self._store.embedder_version,
                FACES.c.photo_digest == digest,
            )
        ).one_or_none()
        if face is None:
            return False
        if face.picture_id is None:
            linked = sa.update(FACES).where(FACES.c.id == face.id)
            connection.execute(linked.values(picture_id=picture_id))
        else:
            # Two pictures of one photo: one is enough.
            moved = sa.update(FACES).where(FACES.c.picture_id == picture_id)
            connection.execute(moved.values(picture_id=face.picture_id))
            connection.execute(sa.delete(PICTURES).where(PICTURES.c.id == picture_id))
        return True
