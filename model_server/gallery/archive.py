"""A whole gallery as one file: people, faces of every embedder, pictures.

A ZIP file with ``gallery.json`` (format and counts), ``people.jsonl`` (one person a
line, faces in base64) and ``pictures/NUMBER`` (the kept pictures).
"""

from __future__ import annotations

import base64
import binascii
import json
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from model_server.errors import InvalidRequestError
from model_server.gallery.celebrity import Celebrity, check_celebrity
from model_server.gallery.records import columns_of
from model_server.gallery.schema import CELEBRITIES, DELETIONS, FACES, PICTURES, TAGS
from model_server.gallery.store import GalleryStore

__all__ = ["export_gallery", "restore_gallery"]

_FORMAT = "lookalike-gallery-1"
_PEOPLE_AT_ONCE = 1000


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
        archive.writestr("gallery.json", json.dumps({"format": _FORMAT, "people": count}))
    temporary.replace(path)
    return count


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
                "create_time": row.create_time.replace(tzinfo=UTC).isoformat(),
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
            if head.get("format") != _FORMAT:
                raise InvalidRequestError("the file was made by another version of Lookalike")
            with store.writing() as (connection, revision):
                _clear(connection, revision)
                count = 0
                with archive.open("people.jsonl") as lines:
                    for line in lines:
                        _restore(connection, revision, json.loads(line), archive)
                        count += 1
                if count != head["people"]:
                    raise InvalidRequestError("the file is cut off")
                return count
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, binascii.Error) as error:
        raise InvalidRequestError("the file is no gallery, or it is damaged") from error


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
    created = datetime.fromisoformat(person["create_time"])
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
