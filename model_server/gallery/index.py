"""The faces of the gallery in memory: compared one by one, or in lists where there are many."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_server.analysis import FloatArray
from model_server.gallery.exact import Candidates, ExactFaces, Keys
from model_server.gallery.hubness import Hubness
from model_server.gallery.lists import FaceLists
from model_server.gallery.records import PersonFaces

__all__ = ["FaceIndex", "Hit"]

EXACT_LIMIT = 100_000
"""Up to so many faces each one is compared."""

_FACES_A_HIT = 8
"""Faces looked at for each celebrity wanted: several may be of one."""

_ROWS = 64
"""Queries that are compared with all faces at once."""

_GATHERED = 20_000
"""Up to so many celebrities of a filter are taken out of the lists and compared exactly."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A celebrity found.

    Attributes:
        key: Number of the celebrity.
        cosine: Of its best face.
        score: What it is ranked by: the cosine less the face's bias.
    """

    key: int
    cosine: float
    score: float


class FaceIndex:
    """Finds the celebrities whose best face is nearest. Thread-safe.

    Args:
        dimension: D, of the embeddings.
        hubness: What is taken off the cosines.
        exact_limit: Number of faces beyond which they are kept in lists.
    """

    def __init__(self, dimension: int, hubness: Hubness, exact_limit: int = EXACT_LIMIT) -> None:
        self._dimension = dimension
        self._hubness = hubness
        self._exact_limit = exact_limit
        # Searches read this once: it is replaced as a whole.
        self._faces: ExactFaces | FaceLists = ExactFaces(dimension)
        self._writing = threading.RLock()

    def __len__(self) -> int:
        """Faces in the index."""
        return len(self._faces)

    @property
    def has_lists(self) -> bool:
        """Whether faces are found by lists, which takes long to make anew."""
        return isinstance(self._faces, FaceLists)

    @property
    def is_outgrown(self) -> bool:
        """Whether :meth:`settle` has something to do."""
        if isinstance(self._faces, FaceLists):
            return self._faces.is_outgrown
        return len(self._faces) > self._exact_limit

    def replace(self, people: Sequence[PersonFaces], *, known: bool = True) -> None:
        """Puts these faces in place of what their celebrities had.

        Args:
            people: Celebrities with all their faces.
            known: Whether some may be in the index already.
        """
        with self._writing:
            if known:
                self.remove([person.key for person in people])
            filled = [person for person in people if len(person.vectors)]
            if not filled:
                return
            vectors = np.concatenate([person.vectors for person in filled])
            counts = [len(person.vectors) for person in filled]
            keys = np.repeat(np.array([person.key for person in filled], np.int64), counts)
            starts = np.r_[0, np.cumsum(counts)[:-1]]
            # One bias a celebrity, whichever of its faces is found.
            bias = np.repeat(self._hubness.bias(vectors, starts), counts)
            self._faces.add(keys, vectors, bias)

    def remove(self, keys: Iterable[int]) -> None:
        """Removes celebrities."""
        with self._writing:
            self._faces.remove(keys)

    def settle(self) -> None:
        """Puts the faces into lists that fit them, where that is due.

        Searches go on; writers wait, half a minute for a million faces.
        """
        with self._writing:
            if self.is_outgrown:
                self._faces = self._in_lists()

    def _in_lists(self) -> FaceLists:
        if isinstance(self._faces, FaceLists):
            return self._faces.rebuilt()
        return FaceLists.build(*self._faces.rows())

    def search(
        self, embeddings: FloatArray, count: int, allowed: Keys | None = None
    ) -> list[list[Hit]]:
        """The celebrities whose best face is nearest.

        Args:
            embeddings: Unit rows, shape (N, D).
            count: How many celebrities for each, at most.
            allowed: Keys of the only celebrities to look at; None for all.

        Returns:
            Best first.
        """
        if count < 1:
            return [[] for _ in embeddings]
        faces = self._faces
        if allowed is not None and isinstance(faces, FaceLists) and len(allowed) <= _GATHERED:
            gathered = ExactFaces(self._dimension)
            gathered.add(*faces.vectors_of(allowed))
            faces, allowed = gathered, None
        hits: list[list[Hit]] = []
        for start in range(0, len(embeddings), _ROWS):
            hits += _search(faces, embeddings[start : start + _ROWS], count, allowed)
        return hits

    def save(self, path: Path) -> None:
        """Writes the index, which must not be empty, to files; it is in lists then."""
        with self._writing:
            if not isinstance(self._faces, FaceLists):
                self._faces = self._in_lists()
            self._faces.save(path)

    def open(self, path: Path) -> None:
        """Takes in a saved index, its vectors mapped into memory; this one must be empty.

        Raises:
            OSError: A file is missing.
            ValueError: A file is damaged.
        """
        with self._writing:
            self._faces = FaceLists.open(path, self._dimension)


def _search(
    faces: ExactFaces | FaceLists, rows: FloatArray, count: int, allowed: Keys | None
) -> list[list[Hit]]:
    hits: list[list[Hit]] = [[] for _ in rows]
    missing = list(range(len(rows)))
    wanted = _FACES_A_HIT * count
    while missing:
        still = []
        found = faces.search(rows[missing], wanted, allowed)
        for row, candidates in zip(missing, found, strict=True):
            hits[row] = _best(candidates, count)
            if len(hits[row]) < count and not candidates.complete:
                still.append(row)
        # Too many of the faces were of the same people: look at more.
        missing, wanted = still, 4 * wanted
    return hits


def _best(found: Candidates, count: int) -> list[Hit]:
    scores = found.cosines - found.bias
    hits: dict[int, Hit] = {}
    for row in np.argsort(-scores, kind="stable").tolist():
        key = int(found.keys[row])
        if key not in hits:
            hits[key] = Hit(key, float(found.cosines[row]), float(scores[row]))
            if len(hits) == count:
                break
    return list(hits.values())
