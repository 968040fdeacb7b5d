"""Faces in memory, each compared with every query."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from model_server.analysis import FloatArray

__all__ = ["Candidates", "ExactFaces", "Keys"]

Keys = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Faces that may be among the best.

    Attributes:
        keys: Celebrity of each face, shape (n,).
        cosines: Shape (n,).
        bias: What is taken off the cosine for the ranking, shape (n,).
        complete: Whether these are all faces that there are.
    """

    keys: Keys
    cosines: FloatArray
    bias: FloatArray
    complete: bool


class ExactFaces:
    """Rows of faces. What was read from it never changes under the reader.

    One thread at a time may write; others read meanwhile. Rows are written behind those
    that readers see, and then shown all at once.

    Args:
        dimension: D, of the embeddings.
    """

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._view = self._empty(0)

    def __len__(self) -> int:
        return self._view.count

    def _empty(self, capacity: int) -> _View:
        return _View(
            np.zeros((capacity, self._dimension), np.float32),
            np.zeros(capacity, np.int64),
            np.zeros(capacity, np.float32),
            0,
        )

    def add(self, keys: Keys, vectors: FloatArray, bias: FloatArray) -> None:
        """Adds faces: unit rows (n, D), their celebrities and biases (n,)."""
        view, count = self._view, self._view.count
        needed = count + len(keys)
        if needed > len(view.keys):
            grown = self._empty(max(needed, 2 * len(view.keys), 1024))
            grown.vectors[:count] = view.vectors[:count]
            grown.keys[:count] = view.keys[:count]
            grown.bias[:count] = view.bias[:count]
            view = grown
        view.vectors[count:needed] = vectors
        view.keys[count:needed] = keys
        view.bias[count:needed] = bias
        self._view = replace(view, count=needed)

    def remove(self, keys: Iterable[int]) -> None:
        """Removes all faces of some celebrities."""
        owners, vectors, bias = self.rows()
        stays = ~np.isin(owners, list(keys))
        if not stays.all():
            # Copied, not moved: readers may be at work on the old rows.
            self._view = _View(vectors[stays], owners[stays], bias[stays], int(stays.sum()))

    def rows(self) -> tuple[Keys, FloatArray, FloatArray]:
        """Keys, vectors and biases of all faces; not to be written to."""
        view = self._view
        return view.keys[: view.count], view.vectors[: view.count], view.bias[: view.count]

    def search(self, embeddings: FloatArray, wanted: int, allowed: Keys | None) -> list[Candidates]:
        """At least the ``wanted`` best faces of each query, unit rows (N, D)."""
        keys, vectors, bias = self.rows()
        if allowed is not None:
            rows = np.flatnonzero(np.isin(keys, allowed))
            keys, vectors, bias = keys[rows], vectors[rows], bias[rows]
        cosines = embeddings @ vectors.T
        found = []
        for row in cosines:
            if wanted >= len(keys):
                found.append(Candidates(keys, row, bias, complete=True))
                continue
            best = np.argpartition(bias - row, wanted - 1)[:wanted]
            found.append(Candidates(keys[best], row[best], bias[best], complete=False))
        return found


@dataclass(frozen=True, slots=True)
class _View:
    vectors: FloatArray
    keys: Keys
    bias: FloatArray
    count: int
