"""Celebrities, faces and pictures in a database, to read and to write."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from model_server.errors import CelebrityExistsError, DuplicatePhotoError
from model_server.gallery.celebrity import Celebrity, check_celebrity
from model_server.gallery.reader import GalleryReader
from model_server.gallery.records import NewFace, chunked, columns_of, face_columns
from model_server.gallery.schema import (
    CELEBRITIES,
    DELETIONS,
    FACES,
    FACTS,
    PICTURES,
    REVISION,
    TAGS,
)

__all__ = ["CHANNEL", "SEED_FACT", "GalleryStore", "NewFace", "set_fact"]

CHANNEL = "lookalike_gallery"
"""On this channel PostgreSQL tells the replicas of each new revision."""

SEED_FACT = "seed:"
"""Facts whose names begin so say which seed was planted, for each embedder."""

_VALUES_A_STATEMENT = 500


class GalleryStore(GalleryReader):
    """Celebrities in a database. Thread-safe; every method is one transaction.

    What it cannot do for want of a database, a disk or rights is a GalleryUnavailableError.
    """

    @contextmanager
    def writing(self) -> Iterator[tuple[Connection, int]]:
        """A transaction that writes, and the revision it will make.

        Writers wait for each other here, so that revisions appear in their order; the
        replicas are told when the transaction is committed.
        """
        with self.database.writing() as connection:
            raised = sa.update(REVISION).values(value=REVISION.c.value + 1)
            revision = connection.execute(raised.returning(REVISION.c.value)).scalar_one()
            if not self.database.is_sqlite:
                connection.execute(sa.select(sa.func.pg_notify(CHANNEL, str(revision))))
            yield connection, revision

    def gallery_id(self) -> str:
        """A random name that this gallery keeps for ever."""
        if known := self.fact("gallery_id"):
            return known
        # Whoever comes second waits for the first, and then finds it.
        with self.writing() as (connection, _):
            known = connection.scalar(sa.select(FACTS.c.value).where(FACTS.c.name == "gallery_id"))
            if not known:
                known = uuid.uuid4().hex
                set_fact(connection, "gallery_id", known)
            return known

    def create(self, celebrity: Celebrity, faces: Sequence[NewFace] = ()) -> Celebrity:
        """Adds a celebrity with its faces, all or nothing.

        Raises:
            CelebrityExistsError: The id is taken.
            DuplicatePhotoError: Two of the faces are the same photo.
        """
        with self.writing() as (connection, revision):
            taken = sa.select(CELEBRITIES.c.id).where(CELEBRITIES.c.id == celebrity.id)
            if connection.scalar(taken):
                raise CelebrityExistsError(
                    f"there is a celebrity {celebrity.id} already: "
                    "add photos to it, or choose another celebrity_id",
                    metadata={"celebrity_id": celebrity.id},
                )
            self.insert(connection, revision, [(celebrity, faces)])
            return self.find(connection, celebrity.id)[1]

    def insert(
        self,
        connection: Connection,
        revision: int,
        people: Sequence[tuple[Celebrity, Sequence[NewFace]]],
        *,
        from_seed: bool = False,
    ) -> None:
        """Adds many celebrities whose ids are not taken, within a transaction."""
        now = datetime.now(UTC)
        connection.execute(
            sa.insert(CELEBRITIES),
            [
                {
                    **columns_of(celebrity),
                    "id": celebrity.id,
                    "create_time": now,
                    "update_time": now,
                    "revision": revision,
                    "faces_revision": revision,
                }
                for celebrity, _ in people
            ],
        )
        keys = self.keys_of(connection, [celebrity.id for celebrity, _ in people])
        tags = [
            {"tag": tag, "celebrity_key": keys[celebrity.id]}
            for celebrity, _ in people
            for tag in dict.fromkeys(celebrity.tags)
        ]
        if tags:
            connection.execute(sa.insert(TAGS), tags)
        faces = [(keys[celebrity.id], face) for celebrity, new in people for face in new]
        self.insert_faces(connection, faces, from_seed=from_seed)

    def insert_faces(
        self,
        connection: Connection,
        faces: Sequence[tuple[int, NewFace]],
        *,
        from_seed: bool = False,
    ) -> None:
        """Adds faces to celebrities by key, within a transaction.

        Raises:
            DuplicatePhotoError: One is enrolled already.
        """
        rows = []
        for key, face in faces:
            picture_id = None
            if face.picture is not None:
                picture_id = connection.scalar(
                    sa.insert(PICTURES)
                    .values(celebrity_key=key, content=face.picture, quality=float(face.quality))
                    .returning(PICTURES.c.id)
                )
            rows.append(
                face_columns(
                    key,
                    face,
                    self.embedder_version,
                    from_seed=from_seed,
                    picture_id=picture_id,
                )
            )
        if rows:
            try:
                connection.execute(sa.insert(FACES), rows)
            except IntegrityError as error:
                raise DuplicatePhotoError(
                    "this photo is enrolled already: send another one"
                ) from error

    def update(self, celebrity_id: str, values: Mapping[str, Any]) -> Celebrity:
        """Changes names, tags or Wikidata id; what others change meanwhile stays changed.

        Args:
            celebrity_id: Whose.
            values: By attribute of Celebrity, those that change.

        Raises:
            InvalidRequestError: A field is out of range.
            CelebrityNotFoundError: There is none of this id.
        """
        with self.writing() as (connection, revision):
            key, known = self.find(connection, celebrity_id)
            celebrity = replace(known, **values)
            check_celebrity(celebrity)
            self._touch(connection, key, revision, columns_of(celebrity))
            connection.execute(sa.delete(TAGS).where(TAGS.c.celebrity_key == key))
            tags = dict.fromkeys(celebrity.tags)
            if tags:
                rows = [{"tag": tag, "celebrity_key": key} for tag in tags]
                connection.execute(sa.insert(TAGS), rows)
            return self.find(connection, celebrity.id)[1]

    def add_face(self, celebrity_id: str, face: NewFace) -> Celebrity:
        """Adds a face.

        Raises:
            CelebrityNotFoundError: There is no such celebrity.
            DuplicatePhotoError: The same photo is enrolled already.
        """
        with self.writing() as (connection, revision):
            key = self.find(connection, celebrity_id)[0]
            self._touch(connection, key, revision, {"faces_revision": revision})
            self.insert_faces(connection, [(key, face)])
            return self.find(connection, celebrity_id)[1]

    def delete(self, celebrity_id: str) -> None:
        """Removes a celebrity with all faces and pictures.

        Raises:
            CelebrityNotFoundError: There is none of this id.
        """
        with self.writing() as (connection, revision):
            key = self.find(connection, celebrity_id)[0]
            for table in (FACES, PICTURES, TAGS):
                connection.execute(sa.delete(table).where(table.c.celebrity_key == key))
            connection.execute(sa.delete(CELEBRITIES).where(CELEBRITIES.c.key == key))
            connection.execute(
                sa.insert(DELETIONS).values(
                    celebrity_key=key, celebrity_id=celebrity_id, revision=revision
                )
            )

    def keys_of(self, connection: Connection, ids: Sequence[str]) -> dict[str, int]:
        """Keys of those celebrities that are there, by id; within a transaction."""
        found: dict[str, int] = {}
        for some in chunked(ids, _VALUES_A_STATEMENT):
            rows = connection.execute(
                sa.select(CELEBRITIES.c.id, CELEBRITIES.c.key).where(CELEBRITIES.c.id.in_(some))
            )
            found |= {row.id: row.key for row in rows}
        return found

    def _touch(
        self, connection: Connection, key: int, revision: int, values: dict[str, object]
    ) -> None:
        connection.execute(
            sa.update(CELEBRITIES)
            .where(CELEBRITIES.c.key == key)
            .values(**values, update_time=datetime.now(UTC), revision=revision)
        )


def set_fact(connection: Connection, name: str, value: str) -> None:
    """Stores a fact about the gallery, within a transaction."""
    changed = connection.execute(sa.update(FACTS).where(FACTS.c.name == name).values(value=value))
    if changed.rowcount == 0:
        connection.execute(sa.insert(FACTS).values(name=name, value=value))
