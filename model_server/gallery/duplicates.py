"""People who are probably in the gallery twice, under two ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import sqlalchemy as sa

from model_server.gallery.enrolment import DUPLICATE_COSINE
from model_server.gallery.gallery import Gallery
from model_server.gallery.schema import CELEBRITIES, FACES

__all__ = ["Duplicate", "Evidence", "find_duplicates"]

_FACES_AT_ONCE = 256


class Evidence(StrEnum):
    """What says that two are one, the surest first."""

    WIKIDATA_ID = "same Wikidata id"
    PHOTO = "same photo"
    NAME = "same name"
    FACES = "faces alike"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two celebrities who may be one person.

    Attributes:
        first: Id of the one.
        second: Id of the other, later in the alphabet.
        evidence: All that speaks for it, the surest first.
        likeness: 0..100, of the faces that are most alike; 0 where they are not.
    """

    first: str
    second: str
    evidence: tuple[Evidence, ...]
    likeness: float


def find_duplicates(gallery: Gallery, min_likeness: float = 99.0) -> list[Duplicate]:
    """Pairs to look at, the surest first.

    Searches the gallery once with every face: minutes for a hundred thousand.

    Args:
        gallery: To look through.
        min_likeness: 0..100. Faces count as alike from here on; of people who are in the
            gallery once, (100 - min_likeness) % meet somebody as alike by chance.

    Raises:
        GalleryUnavailableError: The database does not answer.
    """
    evidence: dict[tuple[str, str], set[Evidence]] = {}
    likeness: dict[tuple[str, str], float] = {}
    for one, other, kind in _recorded(gallery):
        evidence.setdefault((one, other), set()).add(kind)
    for one, other, cosine, value in _alike(gallery):
        if value < min_likeness and cosine < DUPLICATE_COSINE:
            continue
        kind = Evidence.PHOTO if cosine >= DUPLICATE_COSINE else Evidence.FACES
        evidence.setdefault((one, other), set()).add(kind)
        likeness[one, other] = max(value, likeness.get((one, other), 0.0))
    order = list(Evidence)
    found = [
        Duplicate(*pair, tuple(sorted(kinds, key=order.index)), likeness.get(pair, 0.0))
        for pair, kinds in evidence.items()
    ]
    return sorted(found, key=lambda pair: (order.index(pair.evidence[0]), -pair.likeness))


def _recorded(gallery: Gallery) -> Iterator[tuple[str, str, Evidence]]:
    """Pairs that share a name, an item of Wikidata or a photo."""
    one, other = CELEBRITIES.alias(), CELEBRITIES.alias()
    pairs = sa.select(one.c.id, other.c.id).where(one.c.id < other.c.id)
    face, copy = FACES.alias(), FACES.alias()
    queries = {
        Evidence.WIKIDATA_ID: pairs.where(
            one.c.wikidata_id == other.c.wikidata_id, one.c.wikidata_id != ""
        ),
        Evidence.NAME: pairs.where(one.c.sort_key == other.c.sort_key),
        Evidence.PHOTO: pairs.join(face, face.c.celebrity_key == one.c.key)
        .join(copy, copy.c.photo_digest == face.c.photo_digest)
        .where(copy.c.celebrity_key == other.c.key)
        .distinct(),
    }
    for kind, query in queries.items():
        with gallery.store.database.reading() as connection:
            rows = connection.execute(query).all()
        for pair in rows:
            # A database may order ids by the rules of a language.
            first, second = sorted(pair)
            yield first, second, kind


def _alike(gallery: Gallery) -> Iterator[tuple[str, str, float, float]]:
    """The best match of each face among others: both ids, cosine and likeness."""
    _, people = gallery.store.all_faces()
    vectors = np.concatenate([person.vectors for person in people]) if people else np.zeros((0, 1))
    keys = np.repeat([person.key for person in people], [len(person.vectors) for person in people])
    for start in range(0, len(keys), _FACES_AT_ONCE):
        some = slice(start, start + _FACES_AT_ONCE)
        owners = gallery.store.by_keys(sorted(set(keys[some].tolist())))
        # The face itself comes first, its best other second.
        matches = gallery.match(vectors[some].astype(np.float32), max_matches=2)
        for key, found in zip(keys[some].tolist(), matches, strict=True):
            if (owner := owners.get(key)) is None:
                continue  # deleted meanwhile
            for match in found:
                if match.celebrity.id != owner.id:
                    first, second = sorted((owner.id, match.celebrity.id))
                    similarity = match.similarity
                    yield first, second, similarity.cosine, similarity.likeness
