"""The faces of the gallery in memory: exact search, and an approximate graph for millions."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from model_server.analysis import FloatArray

__all__ = ["FaceIndex", "Hit"]

EXACT_LIMIT = 100_000
"""Up to so many faces every one is compared; beyond, USearch's graph finds the nearest."""

Hit = tuple[str, float]
"""Celebrity and cosine of its best face."""


class FaceIndex:
    """Finds the celebrities with the most similar faces. Thread-safe.

    A snapshot is replaced as a whole, so that a search sees all of a change or
    nothing of it, and never waits for a writer.

    Args:
        dimension: D, of the embeddings.
        exact_limit: Number of faces beyond which the search is approximate.
    """

    def __init__(self, dimension: int, exact_limit: int = EXACT_LIMIT) -> None:
        self._dimension = dimension
        self._exact_limit = exact_limit
        self._lock = threading.Lock()
        self._faces: dict[str, FloatArray] = {}
        self._snapshot = _Snapshot({}, dimension, exact_limit)

    def __len__(self) -> int:
        """Faces in the index."""
        return len(self._snapshot.owners)

    def replace_all(self, faces: Mapping[str, FloatArray]) -> None:
        """Puts other faces in place of all.

        Args:
            faces: Unit rows of each celebrity, shape (n, D).
        """
        with self._lock:
            self._faces = dict(faces)
            self._snapshot = _Snapshot(self._faces, self._dimension, self._exact_limit)

    def update(self, faces: Mapping[str, FloatArray], removed: Iterable[str] = ()) -> None:
        """Replaces the faces of some celebrities and removes others."""
        with self._lock:
            self._faces |= faces
            for celebrity_id in removed:
                self._faces.pop(celebrity_id, None)
            self._snapshot = _Snapshot(self._faces, self._dimension, self._exact_limit)

    def faces_of(self, celebrity_id: str) -> FloatArray:
        """Unit rows, shape (n, D); n is 0 where the celebrity has no face."""
        return self._faces.get(celebrity_id, np.zeros((0, self._dimension), np.float32))

    def search(
        self, embedding: FloatArray, count: int, allowed: frozenset[str] | None = None
    ) -> list[Hit]:
        """The celebrities whose best face is most similar.

        Args:
            embedding: Unit vector, shape (D,).
            count: How many, at most.
            allowed: Only these celebrities; None for all.

        Returns:
            Best first.
        """
        return self._snapshot.search(embedding, count, allowed)

    def best_of_others(self, embeddings: FloatArray, owners: Sequence[str]) -> FloatArray:
        """The best match of each embedding among all celebrities but its owner.

        Args:
            embeddings: Unit rows, shape (N, D).
            owners: Celebrity whom each row shows; may be nobody of the gallery.

        Returns:
            Cosines; shape (N,), or (0,) where there is nobody else.
        """
        best = [
            next((cosine for name, cosine in self.search(row, 2) if name != owner), None)
            for row, owner in zip(embeddings, owners, strict=True)
        ]
        return np.array([cosine for cosine in best if cosine is not None], np.float32)


class _Snapshot:
    """Faces that never change: rows sorted by their owner."""

    def __init__(self, faces: Mapping[str, FloatArray], dimension: int, exact_limit: int) -> None:
        self.names: Sequence[str] = [name for name, rows in faces.items() if len(rows)]
        parts = [faces[name] for name in self.names]
        self.vectors: FloatArray = (
            np.concatenate(parts).astype(np.float32)
            if parts
            else np.zeros((0, dimension), np.float32)
        )
        counts = np.array([len(part) for part in parts], dtype=np.int64)
        self.owners: npt.NDArray[np.int64] = np.repeat(np.arange(len(counts)), counts)
        self._starts = np.concatenate([[0], np.cumsum(counts)[:-1]]) if parts else counts
        self._graph = self._build_graph() if len(self.vectors) > exact_limit else None

    def _build_graph(self) -> object:
        from usearch.index import Index  # noqa: PLC0415 - only large galleries need it

        graph = Index(
            ndim=self.vectors.shape[1],
            metric="ip",
            dtype="f16",
            connectivity=32,
            expansion_add=128,
            expansion_search=128,
        )
        graph.add(np.arange(len(self.vectors)), self.vectors)
        return graph

    def search(
        self, embedding: FloatArray, count: int, allowed: frozenset[str] | None
    ) -> list[Hit]:
        if not len(self.vectors) or count < 1:
            return []
        # The graph knows nothing of tags: a filtered search compares all.
        if self._graph is not None and allowed is None:
            return self._search_graph(embedding, count)
        best = np.maximum.reduceat(self.vectors @ embedding, self._starts)
        if allowed is not None:
            best = np.where([name in allowed for name in self.names], best, -np.inf)
        count = min(count, len(best))
        top = np.argpartition(-best, count - 1)[:count]
        top = top[np.argsort(-best[top], kind="stable")]
        return [(self.names[i], float(best[i])) for i in top if np.isfinite(best[i])]

    def _search_graph(self, embedding: FloatArray, count: int) -> list[Hit]:
        # Several faces may be of one celebrity: ask for more until there are enough.
        wanted = 4 * count
        while True:
            found = self._graph.search(embedding, min(wanted, len(self.vectors)))  # type: ignore[attr-defined]
            keys = np.asarray(found.keys, dtype=np.int64)
            cosines = self.vectors[keys] @ embedding
            hits: dict[str, float] = {}
            for key, cosine in sorted(
                zip(keys.tolist(), cosines.tolist(), strict=True), key=lambda item: -item[1]
            ):
                hits.setdefault(self.names[self.owners[key]], cosine)
            if len(hits) >= count or wanted >= len(self.vectors):
                return list(hits.items())[:count]
            wanted *= 4
