"""Rows of the gallery's tables as values, and values as rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from model_server.analysis import FloatArray
from model_server.gallery.celebrity import Celebrity, fold

__all__ = [
    "NewFace",
    "PersonFaces",
    "celebrity_of",
    "chunked",
    "columns_of",
    "embedding_of",
    "face_columns",
    "folded_columns",
    "group_faces",
    "in_utc",
]


@dataclass(frozen=True, slots=True)
class NewFace:
    """A face to store.

    Attributes:
        embedding: Unit vector, shape (D,).
        quality: 0..1.
        photo_digest: sha256 of the photo's bytes; None where there is no photo.
        picture: JPEG of the head; None where none is kept.
    """

    embedding: FloatArray
    quality: float = 1.0
    photo_digest: str | None = None
    picture: bytes | None = None


@dataclass(frozen=True, slots=True)
class PersonFaces:
    """The faces of one celebrity, for the index.

    Attributes:
        key: Number of the celebrity in the database.
        vectors: Unit rows, shape (n, D).
    """

    key: int
    vectors: FloatArray


def celebrity_of(row: Any) -> Celebrity:
    """The celebrity of a row."""
    return Celebrity(
        row.id,
        row.display_name,
        tuple(row.aliases),
        tuple(row.tags),
        row.wikidata_id,
        row.face_count,
        bool(row.has_picture),
        in_utc(row.create_time),
        in_utc(row.update_time),
    )


def in_utc(time: datetime) -> datetime:
    """A time of a column: SQLite's say no zone, PostgreSQL's are in that of the session."""
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def columns_of(celebrity: Celebrity) -> dict[str, object]:
    """What callers may set, as columns."""
    return {
        "display_name": celebrity.display_name,
        **folded_columns(celebrity.display_name, celebrity.aliases),
        "aliases": list(celebrity.aliases),
        "tags": list(celebrity.tags),
        "wikidata_id": celebrity.wikidata_id,
    }


def folded_columns(display_name: str, aliases: Sequence[str]) -> dict[str, str]:
    """The columns that lists are ordered and searched by."""
    names = (display_name, *aliases)
    return {
        "sort_key": fold(display_name)[:400],
        "search_key": "".join(f"\n{fold(name)}" for name in names),
    }


def face_columns(
    key: int, face: NewFace, embedder_version: str, *, from_seed: bool, picture_id: int | None
) -> dict[str, object]:
    """A face as columns."""
    return {
        "celebrity_key": key,
        "embedder_version": embedder_version,
        "embedding": face.embedding.astype("<f2").tobytes(),
        "quality": float(face.quality),
        "photo_digest": face.photo_digest,
        "picture_id": picture_id,
        "from_seed": from_seed,
    }


def embedding_of(data: bytes) -> FloatArray:
    """The unit vector of a column, shape (D,)."""
    vector = np.frombuffer(data, "<f2").astype(np.float32)
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def group_faces(rows: Iterable[tuple[int, bytes]], dimension: int) -> list[PersonFaces]:
    """Faces by celebrity.

    Args:
        rows: Key and embedding, those of one celebrity together.
        dimension: D.
    """
    keys: list[int] = []
    parts: list[bytes] = []
    for key, data in rows:
        keys.append(key)
        parts.append(data)
    if not keys:
        return []
    # One conversion for all: a million small ones would take a minute.
    vectors = np.frombuffer(b"".join(parts), "<f2").reshape(len(keys), dimension)
    vectors = vectors.astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    owners = np.array(keys)
    starts = np.flatnonzero(np.r_[True, owners[1:] != owners[:-1]])
    return [
        PersonFaces(int(owners[start]), rows_of)
        for start, rows_of in zip(starts, np.split(vectors, starts[1:]), strict=True)
    ]


def chunked(values: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    """Parts of at most ``size``: databases bound the values of one statement."""
    return (values[start : start + size] for start in range(0, len(values), size))
