"""A whole gallery as one file: people, faces of every embedder, pictures, who was deleted.

A ZIP file with ``gallery.json`` (format, count, ids of the deleted, which seeds were
planted), ``people.jsonl`` (one person a line, faces in base64) and ``pictures/NUMBER``
(the kept pictures).
"""

from __future__ import annotations

import base64
import binascii
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DataError, IntegrityError

from model_server.errors import InvalidRequestError
from model_server.gallery.celebrity import Celebrity, check_celebrity
from model_server.gallery.records import columns_of, in_utc
from model_server.gallery.schema import CELEBRITIES, DELETIONS, FACES, FACTS, PICTURES, TAGS
from model_server.gallery.store import SEED_FACT, GalleryStore, set_fact

__all__ = ["export_gallery", "restore_gallery"]

_FORMAT = "lookalike-gallery-1"
_PEOPLE_AT_ONCE = 1000

_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,  # encrypted, or compressed in a way that is not known here
    KeyError,
    ValueError,
    TypeError,
    binascii.Error,
    DataError,
    IntegrityError,
)
"""What reading and storing a file raises that is not a gallery's, or is cut off or changed."""


def export_gallery(store: GalleryStore, path: Path) -> int:
    """Writes the gallery to a file, as it is at one moment.

    Returns:
        How many people.
    """
    count = 0
    temporary = path.with_name(path.name + ".new")
    with (
        store.database.reading() as connection,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for (picture_id,) in connection.execute(sa.select(PICTURES.c.id)).all():
            content = connection.scalar(
                sa.select(PICTURES.c.content).where(PICTURES.c.id == picture_id)
            )
            archive.writestr(f"pictures/{picture_id}", content or b"", zipfile.ZIP_STORED)
        with archive.open("people.jsonl", "w", force_zip64=True) as lines:
            for person in _people(connection):
                lines.write(json.dumps(person, ensure_ascii=False).encode() + b"\n")
                count += 1
        head = {"format": _FORMAT, "people": count, **_history(connection)}
        archive.writestr("gallery.json", json.dumps(head))
    temporary.replace(path)
    return count


def _history(connection: Connection) -> dict[str, Any]:
    """What a seed must know, lest it bring back who was deleted."""
    deleted = (
        sa.select(DELETIONS.c.celebrity_id)
        .where(DELETIONS.c.celebrity_id.not_in(sa.select(CELEBRITIES.c.id)))
        .distinct()
        .order_by(DELETIONS.c.celebrity_id)
    )
    # The gallery's own id is not among them: saved indexes and page tokens go by it.
    rows = connection.execute(sa.select(FACTS).where(FACTS.c.name.startswith(SEED_FACT)))
    return {
        "deleted": list(connection.scalars(deleted)),
        "seeds": {row.name.removeprefix(SEED_FACT): row.value for row in rows},
    }


def _people(connection: Connection) -> Iterator[dict[str, Any]]:
    last = 0
    while rows := connection.execute(
        sa.select(CELEBRITIES)
        .where(CELEBRITIES.c.key > last)
        .order_by(CELEBRITIES.c.key)
        .limit(_PEOPLE_AT_ONCE)
    ).all():
        first, last = rows[0].key, rows[-1].key
        faces: dict[int, list[dict[str, Any]]] = {}
        for face in connection.execute(
            sa.select(FACES).where(FACES.c.celebrity_key.between(first, last)).order_by(FACES.c.id)
        ):
            faces.setdefault(face.celebrity_key, []).append(
                {
                    "embedder_version": face.embedder_version,
                    "embedding": base64.b64encode(face.embedding).decode(),
                    "quality": face.quality,
                    "photo_digest": face.photo_digest,
                    "picture": face.picture_id,
                    "from_seed": face.from_seed,
                }
            )
        for row in rows:
            yield {
                "id": row.id,
                "display_name": row.display_name,
                "aliases": row.aliases,
                "tags": row.tags,
                "wikidata_id": row.wikidata_id,
                "create_time": in_utc(row.create_time).isoformat(),
                "faces": faces.get(row.key, []),
            }


def restore_gallery(store: GalleryStore, path: Path) -> int:
    """Puts a file's people in place of all that are there: all of it, or nothing.

    Returns:
        How many people.

    Raises:
        InvalidRequestError: The file is not such an archive, or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            head = json.loads(archive.read("gallery.json"))
            if head["format"] != _FORMAT:
                raise InvalidRequestError("the file was made by another version of Lookalike")
            with store.writing() as (connection, revision):
                # Files of earlier versions do not tell who was deleted and what was planted.
                _add_deleted(store, connection, revision, head.get("deleted", ()))
                _clear(connection, revision)
                if "seeds" in head:
                    _restore_seeds(connection, head["seeds"])
                count = 0
                with archive.open("people.jsonl") as lines:
                    for line in lines:
                        _restore(connection, revision, json.loads(line), archive)
                        count += 1
                if count != head["people"]:
                    raise InvalidRequestError("the file is cut off")
                return count
    except _DAMAGED as error:
        raise InvalidRequestError("the file is no gallery, or it is damaged") from error


def _add_deleted(
    store: GalleryStore, connection: Connection, revision: int, ids: Sequence[str]
) -> None:
    """Adds people who were deleted where the file is from, to be cleared with all others.

    So they get keys that nobody else will ever have, as every deleted person has.
    """
    known = set(connection.scalars(sa.select(CELEBRITIES.c.id)))
    known.update(connection.scalars(sa.select(DELETIONS.c.celebrity_id)))
    people = [Celebrity(one, one) for one in dict.fromkeys(ids) if one not in known]
    for person in people:
        check_celebrity(person)
    if people:
        store.insert(connection, revision, [(person, ()) for person in people])


def _restore_seeds(connection: Connection, seeds: Mapping[str, str]) -> None:
    connection.execute(sa.delete(FACTS).where(FACTS.c.name.startswith(SEED_FACT)))
    for embedder_version, seed_version in seeds.items():
        set_fact(connection, SEED_FACT + embedder_version, seed_version)


def _clear(connection: Connection, revision: int) -> None:
    rows = connection.execute(sa.select(CELEBRITIES.c.key, CELEBRITIES.c.id)).all()
    for table in (FACES, PICTURES, TAGS, CELEBRITIES):
        connection.execute(sa.delete(table))
    if rows:
        connection.execute(
            sa.insert(DELETIONS),
            [
                {"celebrity_key": row.key, "celebrity_id": row.id, "revision": revision}
                for row in rows
            ],
        )


def _restore(
    connection: Connection, revision: int, person: Mapping[str, Any], archive: zipfile.ZipFile
) -> None:
    celebrity = Celebrity(
        person["id"],
        person["display_name"],
        tuple(person["aliases"]),
        tuple(person["tags"]),
        person["wikidata_id"],
    )
    check_celebrity(celebrity)
    created = in_utc(datetime.fromisoformat(person["create_time"]))
    key = connection.execute(
        sa.insert(CELEBRITIES)
        .values(
            **columns_of(celebrity),
            id=celebrity.id,
            create_time=created,
            update_time=datetime.now(UTC),
            revision=revision,
            faces_revision=revision,
        )
        .returning(CELEBRITIES.c.key)
    ).scalar_one()
    if celebrity.tags:
        tags = [{"tag": tag, "celebrity_key": key} for tag in dict.fromkeys(celebrity.tags)]
        connection.execute(sa.insert(TAGS), tags)
    pictures: dict[int, int] = {}
    for face in person["faces"]:
        old = face["picture"]
        if old is not None and old not in pictures:
            pictures[old] = connection.execute(
                sa.insert(PICTURES)
                .values(
                    celebrity_key=key,
                    content=archive.read(f"pictures/{old}"),
                    quality=face["quality"],
                )
                .returning(PICTURES.c.id)
            ).scalar_one()
        connection.execute(
            sa.insert(FACES).values(
                celebrity_key=key,
                embedder_version=face["embedder_version"],
                embedding=base64.b64decode(face["embedding"], validate=True),
                quality=face["quality"],
                photo_digest=face["photo_digest"],
                picture_id=None if old is None else pictures[old],
                from_seed=face["from_seed"],
            )
        )
