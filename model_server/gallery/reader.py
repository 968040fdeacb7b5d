"""Reads celebrities, faces and pictures from a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from model_server.errors import CelebrityNotFoundError
from model_server.gallery.celebrity import Celebrity, fold
from model_server.gallery.database import Database
from model_server.gallery.records import (
    NewFace,
    PersonFaces,
    celebrity_of,
    chunked,
    embedding_of,
    group_faces,
)
from model_server.gallery.schema import (
    CELEBRITIES,
    DELETIONS,
    FACES,
    FACTS,
    PICTURES,
    REVISION,
    TAGS,
)

__all__ = ["Changes", "GalleryReader", "Position"]

_VALUES_A_STATEMENT = 500

Position = tuple[int, str, str]
"""Where a celebrity stands in a list: rank, folded name, id."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened between two revisions.

    Attributes:
        revision: The later one.
        changed: Ids of the celebrities that are new or changed.
        faces: All faces of those whose faces changed; those who have none left, with
            none.
        deleted: Keys of those who are gone.
        deleted_ids: Their ids.
    """

    revision: int
    changed: tuple[str, ...]
    faces: tuple[PersonFaces, ...]
    deleted: tuple[int, ...]
    deleted_ids: tuple[str, ...]


class GalleryReader:
    """Reads a gallery. Thread-safe; every method is one transaction.

    Args:
        database: Where.
        embedder_version: Of the faces that are read; others are as if not there.
        dimension: D, of the embeddings.

    Raises:
        GalleryUnavailableError: From every method, where the database does not answer.
    """

    def __init__(self, database: Database, embedder_version: str, dimension: int) -> None:
        self.database = database
        self.embedder_version = embedder_version
        self._dimension = dimension
        # Only faces of this embedder count: the others cannot be matched here.
        of_this = sa.and_(
            FACES.c.celebrity_key == CELEBRITIES.c.key,
            FACES.c.embedder_version == embedder_version,
        )
        self._select = sa.select(
            CELEBRITIES,
            sa.select(sa.func.count()).where(of_this).scalar_subquery().label("face_count"),
            sa.exists().where(PICTURES.c.celebrity_key == CELEBRITIES.c.key).label("has_picture"),
        )

    # Reading

    def fact(self, name: str) -> str | None:
        """A fact about the gallery, such as the seed's version."""
        with self.database.reading() as connection:
            return connection.scalar(sa.select(FACTS.c.value).where(FACTS.c.name == name))

    def revision(self) -> int:
        """Grows with every change."""
        with self.database.reading() as connection:
            return connection.scalar(sa.select(REVISION.c.value)) or 0

    def get(self, celebrity_id: str) -> Celebrity:
        """One celebrity.

        Raises:
            CelebrityNotFoundError: There is none of this id.
        """
        with self.database.reading() as connection:
            return self.find(connection, celebrity_id)[1]

    def by_keys(self, keys: Sequence[int]) -> dict[int, Celebrity]:
        """Those celebrities that are there, by key."""
        found: dict[int, Celebrity] = {}
        with self.database.reading() as connection:
            for some in chunked(keys, _VALUES_A_STATEMENT):
                rows = connection.execute(self._select.where(CELEBRITIES.c.key.in_(some)))
                found |= {row.key: celebrity_of(row) for row in rows}
        return found

    def page(
        self, size: int, after: Position | None, query: str, tags: Sequence[str]
    ) -> tuple[list[tuple[Position, Celebrity]], int]:
        """Celebrities by rank, name and id.

        Args:
            size: How many, at most.
            after: Only those behind this place.
            query: Only those with a name that contains this; one that starts with it
                ranks 0, any other 1.
            tags: Only those that carry all of these.

        Returns:
            The celebrities with their places, and how many there are over all pages.
        """
        rank, wanted = _rank(fold(query)), self._wanted(fold(query), tags)
        order = sa.tuple_(rank, CELEBRITIES.c.sort_key, CELEBRITIES.c.id)
        listed = self._select.add_columns(rank.label("rank")).where(*wanted)
        if after:
            listed = listed.where(order > sa.tuple_(*map(sa.literal, after)))
        listed = listed.order_by(rank, CELEBRITIES.c.sort_key, CELEBRITIES.c.id).limit(size)
        counted = sa.select(sa.func.count()).select_from(CELEBRITIES).where(*wanted)
        with self.database.reading() as connection:
            rows = [
                ((row.rank, row.sort_key, row.id), celebrity_of(row))
                for row in connection.execute(listed)
            ]
            return rows, connection.scalar(counted) or 0

    def keys_with_tags(self, tags: Sequence[str]) -> list[int]:
        """Keys of the celebrities that carry all of the tags."""
        with self.database.reading() as connection:
            wanted = self._wanted("", tags)
            return list(connection.scalars(sa.select(CELEBRITIES.c.key).where(*wanted)))

    def _wanted(self, folded: str, tags: Sequence[str]) -> list[sa.ColumnElement[bool]]:
        wanted: list[sa.ColumnElement[bool]] = [
            CELEBRITIES.c.key.in_(sa.select(TAGS.c.celebrity_key).where(TAGS.c.tag == tag))
            for tag in dict.fromkeys(tags)
        ]
        if folded:
            wanted.append(CELEBRITIES.c.search_key.contains(folded, autoescape=True))
        return wanted

    def faces_of(self, celebrity_id: str) -> list[NewFace]:
        """The faces of one celebrity, without pictures.

        Raises:
            CelebrityNotFoundError: There is none of this id.
        """
        with self.database.reading() as connection:
            key = self.find(connection, celebrity_id)[0]
            return self._faces(connection, key)

    def _faces(self, connection: Connection, key: int) -> list[NewFace]:
        rows = connection.execute(
            sa.select(FACES.c.embedding, FACES.c.quality, FACES.c.photo_digest).where(
                FACES.c.celebrity_key == key,
                FACES.c.embedder_version == self.embedder_version,
            )
        )
        return [NewFace(embedding_of(row.embedding), row.quality, row.photo_digest) for row in rows]

    def picture_of(self, celebrity_id: str) -> bytes | None:
        """The best picture that is kept of a celebrity, JPEG."""
        query = (
            sa.select(PICTURES.c.content)
            .join(CELEBRITIES, CELEBRITIES.c.key == PICTURES.c.celebrity_key)
            .where(CELEBRITIES.c.id == celebrity_id)
            .order_by(PICTURES.c.quality.desc(), PICTURES.c.id)
            .limit(1)
        )
        with self.database.reading() as connection:
            return connection.scalar(query)

    def all_faces(self) -> tuple[int, list[PersonFaces]]:
        """The revision, and every face that can be matched."""
        with self.database.reading() as connection:
            revision = connection.scalar(sa.select(REVISION.c.value)) or 0
            rows = connection.execution_options(yield_per=50_000).execute(
                sa.select(FACES.c.celebrity_key, FACES.c.embedding)
                .where(FACES.c.embedder_version == self.embedder_version)
                .order_by(FACES.c.celebrity_key, FACES.c.id)
            )
            return revision, group_faces((tuple(row) for row in rows), self._dimension)

    def changes(self, since: int) -> Changes:
        """What happened after a revision."""
        with self.database.reading() as connection:
            revision = connection.scalar(sa.select(REVISION.c.value)) or 0
            changed = connection.scalars(
                sa.select(CELEBRITIES.c.id).where(CELEBRITIES.c.revision > since)
            ).all()
            keys = connection.scalars(
                sa.select(CELEBRITIES.c.key).where(CELEBRITIES.c.faces_revision > since)
            ).all()
            rows = connection.execute(
                sa.select(FACES.c.celebrity_key, FACES.c.embedding)
                .join(CELEBRITIES, CELEBRITIES.c.key == FACES.c.celebrity_key)
                .where(
                    CELEBRITIES.c.faces_revision > since,
                    FACES.c.embedder_version == self.embedder_version,
                )
                .order_by(FACES.c.celebrity_key, FACES.c.id)
            )
            faces = group_faces((tuple(row) for row in rows), self._dimension)
            bare = set(keys) - {person.key for person in faces}
            none = np.zeros((0, self._dimension), np.float32)
            faces += [PersonFaces(key, none) for key in sorted(bare)]
            deleted = connection.execute(
                sa.select(DELETIONS.c.celebrity_key, DELETIONS.c.celebrity_id).where(
                    DELETIONS.c.revision > since
                )
            ).all()
        return Changes(
            revision,
            tuple(changed),
            tuple(faces),
            tuple(row.celebrity_key for row in deleted),
            tuple(row.celebrity_id for row in deleted),
        )

    def find(self, connection: Connection, celebrity_id: str) -> tuple[int, Celebrity]:
        """Key and celebrity of an id, within a transaction.

        Raises:
            CelebrityNotFoundError: There is none of this id.
        """
        row = connection.execute(self._select.where(CELEBRITIES.c.id == celebrity_id)).one_or_none()
        if row is None:
            raise CelebrityNotFoundError(
                f"there is no celebrity {celebrity_id}: see ListCelebrities",
                metadata={"celebrity_id": celebrity_id},
            )
        return row.key, celebrity_of(row)


def _rank(folded: str) -> sa.ColumnElement[int]:
    """0 where a name starts with the text, or where none is asked for; else 1."""
    if not folded:
        return sa.literal(0)
    starts = CELEBRITIES.c.search_key.contains(f"\n{folded}", autoescape=True)
    return sa.case((starts, 0), else_=1)
