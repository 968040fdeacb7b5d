"""The faces of the gallery in memory: exact search, and a graph where there are many.

New faces are always compared exactly; past a limit they move into the graph, a few at a
time, while searches go on.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_server.analysis import FloatArray
from model_server.gallery.exact import Candidates, ExactFaces, Keys
from model_server.gallery.graph import FaceGraph
from model_server.gallery.hubness import Hubness
from model_server.gallery.records import PersonFaces

__all__ = ["FaceIndex", "Hit"]

EXACT_LIMIT = 100_000
"""Up to so many faces each one is compared."""

RECENT_LIMIT = 4_000
"""Beside a graph, so many new faces are compared exactly before they move into it."""

_FACES_A_HIT = 8
"""Faces looked at for each celebrity wanted: several may be of one."""

_ROWS = 64
"""Queries that are compared with all faces at once."""

_MOVED_AT_ONCE = 512
"""Celebrities that move into the graph together: they stay among the new ones until all have."""

_GATHERED = 20_000
"""Up to so many celebrities of a filter are taken out of the graph and compared exactly."""


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
        exact_limit: Number of faces beyond which a graph is used.
        recent_limit: Number of new faces beside a graph before they move into it.
    """

    def __init__(
        self,
        dimension: int,
        hubness: Hubness,
        exact_limit: int = EXACT_LIMIT,
        recent_limit: int = RECENT_LIMIT,
    ) -> None:
        self._hubness = hubness
        self._exact_limit = exact_limit
        self._recent_limit = recent_limit
        self._exact = ExactFaces(dimension)
        self._graph = FaceGraph(dimension)
        self._writing = threading.RLock()
        self._settling = threading.RLock()  # taken before the other one
        self._moving: frozenset[int] = frozenset()
        # Of those who move: their faces in the graph are out of date.
        self._outdated: frozenset[int] = frozenset()

    def __len__(self) -> int:
        """Faces in the index."""
        return len(self._exact) + len(self._graph)

    @property
    def has_graph(self) -> bool:
        """Whether some faces are found by the graph."""
        return len(self._graph) > 0

    @property
    def recent(self) -> int:
        """Faces that are compared one by one, as yet."""
        return len(self._exact)

    @property
    def is_full(self) -> bool:
        """Whether :meth:`settle` has something to do."""
        return len(self._exact) > (self._recent_limit if self.has_graph else self._exact_limit)

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
            # One bias a celebrity: the graph finds faces, but knows only whose they are.
            bias = np.repeat(self._hubness.bias(vectors, starts), counts)
            self._exact.add(keys, vectors, bias)

    def remove(self, keys: Iterable[int]) -> None:
        """Removes celebrities."""
        with self._writing:
            gone = list(keys)
            self._exact.remove(gone)
            self._outdated |= self._moving.intersection(gone)
            self._graph.remove([key for key in gone if key not in self._moving])

    def settle(self, *, everything: bool = False) -> None:
        """Moves new faces into the graph; takes a while, writers and searches go on.

        Args:
            everything: Leave none, as before the index is saved.
        """
        with self._settling:
            while self.is_full or (everything and len(self._exact)):
                self._move_some(threads=1, thorough=False)

    def build(self, threads: int) -> None:
        """Moves all faces into the graph, with care and all threads: before it is in use."""
        with self._settling:
            while len(self._exact):
                self._move_some(threads=threads, thorough=True)

    def _move_some(self, *, threads: int, thorough: bool) -> None:
        with self._writing:
            keys, vectors, bias = self._exact.rows()
            some = np.unique(keys)
            some = some[: max(_MOVED_AT_ONCE, len(some) // 20)]
            rows = np.isin(keys, some)
            self._moving = frozenset(some.tolist())
        try:
            # For a moment they are in both; a celebrity counts once all the same.
            self._graph.add(
                keys[rows], vectors[rows], bias[rows], threads=threads, thorough=thorough
            )
        finally:
            with self._writing:
                self._graph.remove(self._outdated)
                self._exact.remove(self._moving - self._outdated)
                self._moving = self._outdated = frozenset()

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
        if allowed is not None and self.has_graph and len(allowed) <= _GATHERED:
            return self._search_gathered(embeddings, count, allowed)
        hits: list[list[Hit]] = []
        for start in range(0, len(embeddings), _ROWS):
            hits += self._search_rows(embeddings[start : start + _ROWS], count, allowed)
        return hits

    def _search_rows(self, rows: FloatArray, count: int, allowed: Keys | None) -> list[list[Hit]]:
        hits: list[list[Hit]] = [[] for _ in rows]
        missing = list(range(len(rows)))
        wanted = _FACES_A_HIT * count
        # Read first: whoever was replaced since is found among the new ones.
        outdated = np.array(list(self._outdated), np.int64)
        while missing:
            parts = [self._exact.search(rows[missing], wanted, allowed)]
            if self.has_graph:
                parts.append(self._graph.search(rows[missing], wanted, allowed, outdated))
            still = []
            for row, found in zip(missing, zip(*parts, strict=True), strict=True):
                hits[row] = _best(found, count)
                if len(hits[row]) < count and not all(part.complete for part in found):
                    still.append(row)
            # Too many of the faces were of the same people: look at more.
            missing, wanted = still, 4 * wanted
        return hits

    def _search_gathered(
        self, embeddings: FloatArray, count: int, allowed: Keys
    ) -> list[list[Hit]]:
        gathered = ExactFaces(embeddings.shape[1])
        gathered.add(*self._graph.vectors_of(np.setdiff1d(allowed, list(self._outdated))))
        everything = len(gathered) + len(self._exact) + 1
        return [
            _best(
                gathered.search(row[None], everything, None)
                + self._exact.search(row[None], everything, allowed),
                count,
            )
            for row in embeddings
        ]

    def save(self, path: Path) -> None:
        """Writes the index to a file; everything is in the graph then."""
        with self._settling:
            while True:
                self.settle(everything=True)
                with self._writing:
                    if not len(self._exact):
                        self._graph.save(path)
                        return

    def open(self, path: Path) -> None:
        """Maps a saved index into memory; the index must be empty.

        Raises:
            OSError: A file is missing.
            ValueError: A file is damaged.
        """
        with self._writing:
            self._graph.open(path)


def _best(parts: Sequence[Candidates], count: int) -> list[Hit]:
    keys = np.concatenate([part.keys for part in parts])
    cosines = np.concatenate([part.cosines for part in parts])
    scores = cosines - np.concatenate([part.bias for part in parts])
    hits: dict[int, Hit] = {}
    for row in np.argsort(-scores, kind="stable").tolist():
        key = int(keys[row])
        if key not in hits:
            hits[key] = Hit(key, float(cosines[row]), float(scores[row]))
            if len(hits) == count:
                break
    return list(hits.values())
