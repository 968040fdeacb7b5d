"""The gallery's database: celebrities, their faces, and pictures where they are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from model_server.analysis import FloatArray
from model_server.errors import (
    CelebrityExistsError,
    CelebrityNotFoundError,
    DuplicatePhotoError,
    GalleryUnavailableError,
)
from model_server.gallery.celebrity import Celebrity, fold
from model_server.gallery.schema import CELEBRITIES, DELETIONS, FACES, FACTS, METADATA, connect

__all__ = ["GalleryStore", "NewFace"]

_REVISION = "revision"


@dataclass(frozen=True, slots=True)
class NewFace:
    """A face to store.

    Attributes:
        embedding: Unit vector, shape (D,).
        quality: 0..1.
        photo_digest: Of the photo's bytes; None where there is no photo.
        picture: JPEG of the head; None where none is kept.
    """

    embedding: FloatArray
    quality: float = 1.0
    photo_digest: str | None = None
    picture: bytes | None = None


class GalleryStore:
    """Celebrities in a database. Thread-safe; every method is one transaction.

    Args:
        url: SQLAlchemy URL.

    Raises:
        GalleryUnavailableError: From every method, where the database does not answer
            or cannot be written.
    """

    def __init__(self, url: str) -> None:
        self._engine = connect(url)
        with self._translating():
            METADATA.create_all(self._engine)

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise GalleryUnavailableError(
                "the gallery's database cannot be used "
                f"({_reason(error)}): check its disk, its rights and its address"
            ) from error

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        with self._translating(), self._engine.begin() as connection:
            yield connection

    def fact(self, name: str) -> str | None:
        """A fact about the gallery, such as its embedder's version."""
        with self._begin() as connection:
            return connection.scalar(sa.select(FACTS.c.value).where(FACTS.c.name == name))

    def set_fact(self, name: str, value: str) -> None:
        """Stores a fact about the gallery."""
        with self._begin() as connection:
            _set_fact(connection, name, value)

    def revision(self) -> int:
        """Grows with every change."""
        return int(self.fact(_REVISION) or 0)

    def count(self) -> int:
        """Celebrities in the gallery."""
        with self._begin() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(CELEBRITIES)) or 0

    def get(self, celebrity_id: str) -> Celebrity:
        """One celebrity.

        Raises:
            CelebrityNotFoundError: There is none of this id.
        """
        with self._begin() as connection:
            return _get(connection, celebrity_id)

    def read(self, since: int = -1) -> tuple[int, dict[str, Celebrity], list[str]]:
        """What changed after a revision.

        Returns:
            The present revision, the celebrities that are new or changed, by id, and
            the ids of those deleted.
        """
        with self._begin() as connection:
            revision = int(_fact(connection, _REVISION) or 0)
            rows = connection.execute(_SELECT.where(CELEBRITIES.c.revision > since))
            changed = {row.id: _celebrity(row) for row in rows}
            deleted = connection.scalars(
                sa.select(DELETIONS.c.celebrity_id).where(DELETIONS.c.revision > since)
            )
            return revision, changed, [name for name in deleted if name not in changed]

    def faces(self, since: int = -1) -> dict[str, FloatArray]:
        """Embeddings of the celebrities that changed after a revision.

        Returns:
            Rows of shape (n, D) by celebrity.
        """
        query = (
            sa.select(FACES.c.celebrity_id, FACES.c.embedding)
            .join(CELEBRITIES, CELEBRITIES.c.id == FACES.c.celebrity_id)
            .where(CELEBRITIES.c.revision > since)
            .order_by(FACES.c.celebrity_id, FACES.c.id)
        )
        found: dict[str, list[FloatArray]] = {}
        with self._begin() as connection:
            for celebrity_id, data in connection.execute(query):
                vector = np.frombuffer(data, "<f2").astype(np.float32)
                found.setdefault(celebrity_id, []).append(vector)
        return {name: np.stack(rows) for name, rows in found.items()}

    def create(self, celebrity: Celebrity, faces: Sequence[NewFace] = ()) -> Celebrity:
        """Adds a celebrity with its faces, all or nothing.

        Raises:
            CelebrityExistsError: The id is taken.
        """
        with self._begin() as connection:
            if connection.scalar(
                sa.select(CELEBRITIES.c.id).where(CELEBRITIES.c.id == celebrity.id)
            ):
                raise CelebrityExistsError(
                    f"there is a celebrity {celebrity.id} already: "
                    "add photos to it, or choose another celebrity_id"
                )
            revision = _next_revision(connection)
            try:
                self._insert(connection, [(celebrity, faces)], revision)
            except IntegrityError as error:
                raise CelebrityExistsError(
                    f"there is a celebrity {celebrity.id} already"
                ) from error
            return _get(connection, celebrity.id)

    def create_many(self, people: Iterable[tuple[Celebrity, Sequence[NewFace]]]) -> None:
        """Adds many celebrities at once, all or nothing; for seeds and restores."""
        with self._begin() as connection:
            self._insert(connection, list(people), _next_revision(connection))

    def _insert(
        self,
        connection: Connection,
        people: Sequence[tuple[Celebrity, Sequence[NewFace]]],
        revision: int,
    ) -> None:
        now = datetime.now(UTC)
        rows = [
            {
                **_values(celebrity),
                "id": celebrity.id,
                "create_time": now,
                "update_time": now,
                "revision": revision,
            }
            for celebrity, _ in people
        ]
        if rows:
            connection.execute(sa.insert(CELEBRITIES), rows)
        faces = [_face(celebrity.id, face) for celebrity, new in people for face in new]
        if faces:
            connection.execute(sa.insert(FACES), faces)

    def update(self, celebrity: Celebrity) -> Celebrity:
        """Replaces names, tags and Wikidata id.

        Raises:
            CelebrityNotFoundError: There is none of this id.
        """
        with self._begin() as connection:
            self._touch(connection, celebrity.id, _values(celebrity))
            return _get(connection, celebrity.id)

    def add_face(self, celebrity_id: str, face: NewFace) -> Celebrity:
        """Adds a face.

        Raises:
            CelebrityNotFoundError: There is no such celebrity.
            DuplicatePhotoError: The same photo is enrolled already.
        """
        with self._begin() as connection:
            self._touch(connection, celebrity_id, {})
            try:
                connection.execute(sa.insert(FACES), [_face(celebrity_id, face)])
            except IntegrityError as error:
                raise DuplicatePhotoError(
                    f"this photo of {celebrity_id} is enrolled already"
                ) from error
            return _get(connection, celebrity_id)

    def delete(self, celebrity_id: str) -> None:
        """Removes a celebrity with all faces and pictures.

        Raises:
            CelebrityNotFoundError: There is none of this id.
        """
        with self._begin() as connection:
            _get(connection, celebrity_id)
            revision = _next_revision(connection)
            connection.execute(sa.delete(FACES).where(FACES.c.celebrity_id == celebrity_id))
            connection.execute(sa.delete(CELEBRITIES).where(CELEBRITIES.c.id == celebrity_id))
            connection.execute(
                sa.insert(DELETIONS).values(revision=revision, celebrity_id=celebrity_id)
            )

    def picture_of(self, celebrity_id: str) -> bytes | None:
        """The best picture that is kept of a celebrity, JPEG."""
        query = (
            sa.select(FACES.c.picture)
            .where(FACES.c.celebrity_id == celebrity_id, FACES.c.picture.is_not(None))
            .order_by(FACES.c.quality.desc())
            .limit(1)
        )
        with self._begin() as connection:
            return connection.scalar(query)

    def _touch(
        self, connection: Connection, celebrity_id: str, values: Mapping[str, object]
    ) -> None:
        changed = connection.execute(
            sa.update(CELEBRITIES)
            .where(CELEBRITIES.c.id == celebrity_id)
            .values(**values, update_time=datetime.now(UTC), revision=_next_revision(connection))
        )
        if changed.rowcount == 0:
            raise _not_found(celebrity_id)


_SELECT = (
    sa.select(
        CELEBRITIES,
        sa.func.count(FACES.c.id).label("face_count"),
        sa.func.count(FACES.c.picture).label("pictures"),
    )
    .outerjoin(FACES, FACES.c.celebrity_id == CELEBRITIES.c.id)
    .group_by(CELEBRITIES.c.id)
)


def _get(connection: Connection, celebrity_id: str) -> Celebrity:
    row = connection.execute(_SELECT.where(CELEBRITIES.c.id == celebrity_id)).one_or_none()
    if row is None:
        raise _not_found(celebrity_id)
    return _celebrity(row)


def _not_found(celebrity_id: str) -> CelebrityNotFoundError:
    return CelebrityNotFoundError(
        f"there is no celebrity {celebrity_id}: see ListCelebrities",
        metadata={"celebrity_id": celebrity_id},
    )


def _celebrity(row: Any) -> Celebrity:
    return Celebrity(
        row.id,
        row.display_name,
        tuple(row.aliases),
        tuple(row.tags),
        row.wikidata_id,
        row.face_count,
        row.pictures > 0,
        row.create_time.replace(tzinfo=UTC),
        row.update_time.replace(tzinfo=UTC),
    )


def _values(celebrity: Celebrity) -> dict[str, object]:
    names = (celebrity.display_name, *celebrity.aliases)
    return {
        "display_name": celebrity.display_name,
        "sort_key": fold(celebrity.display_name),
        "search_key": "\n".join(fold(name) for name in names),
        "aliases": list(celebrity.aliases),
        "tags": list(celebrity.tags),
        "wikidata_id": celebrity.wikidata_id,
    }


def _face(celebrity_id: str, face: NewFace) -> dict[str, object]:
    return {
        "celebrity_id": celebrity_id,
        "embedding": face.embedding.astype("<f2").tobytes(),
        "quality": face.quality,
        "photo_digest": face.photo_digest,
        "picture": face.picture,
    }


def _fact(connection: Connection, name: str) -> str | None:
    return connection.scalar(sa.select(FACTS.c.value).where(FACTS.c.name == name))


def _set_fact(connection: Connection, name: str, value: str) -> None:
    changed = connection.execute(sa.update(FACTS).where(FACTS.c.name == name).values(value=value))
    if changed.rowcount == 0:
        connection.execute(sa.insert(FACTS).values(name=name, value=value))


def _next_revision(connection: Connection) -> int:
    # Writing first takes the lock: two writers can never get the same number.
    changed = connection.execute(
        sa.update(FACTS)
        .where(FACTS.c.name == _REVISION)
        .values(value=sa.cast(sa.cast(FACTS.c.value, sa.BigInteger) + 1, sa.Text))
    )
    if changed.rowcount == 0:
        connection.execute(sa.insert(FACTS).values(name=_REVISION, value="1"))
    return int(_fact(connection, _REVISION) or 0)


def _reason(error: DBAPIError) -> str:
    # The driver's own words: "disk is full", "readonly database"; no statement, no values.
    return str(error.orig).strip().splitlines()[0] if error.orig else "no reason given"
