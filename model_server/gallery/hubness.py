"""Keeps single celebrities from being everybody's look-alike.

In spaces of many dimensions a few points are near to far more others than is their due
(Radovanović et al., 2010). Each gallery face is therefore judged by how near it is to
people in general: CSLS (Conneau et al., 2018) takes the mean cosine to the nearest
faces of a reference off its cosine. The same term of the face that is asked about would
change no ranking, and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model_server.analysis import FloatArray
from model_server.errors import BundleError

__all__ = ["Hubness"]

_PEOPLE = 1024
"""Compared with the reference at once: what they need then stays in the cache."""


@dataclass(frozen=True, slots=True)
class Hubness:
    """What is taken off the cosines of a face.

    Attributes:
        reference: Unit rows of people in general, shape (R, D).
        neighbours: How many of them are looked at.
        weight: 0 takes off nothing, 1 the whole of the mean.
        center: Mean over the reference itself, so that scores stay near cosines.
    """

    reference: FloatArray
    neighbours: int
    weight: float
    center: float

    @classmethod
    def fit(cls, reference: FloatArray, neighbours: int, weight: float) -> Hubness:
        """The correction that a reference gives."""
        raw = cls(reference, min(neighbours, max(len(reference) - 1, 1)), 1.0, 0.0)
        if len(reference) < 2 or not weight:
            return cls(reference, raw.neighbours, 0.0, 0.0)
        # Each is its own nearest neighbour: one more is taken, and the cosine with itself off.
        count = raw.neighbours
        with_itself = cls(reference, count + 1, 1.0, 0.0).bias(reference)
        center = (float(with_itself.mean()) * (count + 1) - 1) / count
        return cls(reference, count, weight, center)

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any], reference: FloatArray) -> Hubness:
        """Reads what :meth:`to_manifest` wrote, with the reference that it does not hold.

        Raises:
            BundleError: Something is missing.
        """
        try:
            return cls(
                reference,
                int(manifest["neighbours"]),
                float(manifest["weight"]),
                float(manifest["center"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"the hubness in the bundle does not fit: {error}") from error

    def to_manifest(self) -> dict[str, float]:
        """For bundle.json."""
        return {"neighbours": self.neighbours, "weight": self.weight, "center": self.center}

    def bias(self, vectors: FloatArray, starts: npt.NDArray[np.intp] | None = None) -> FloatArray:
        """What to take off the cosines of people.

        Args:
            vectors: Unit rows, shape (n, D).
            starts: Where the faces of each person begin, shape (p,); None: one face each.
                Whoever has several faces is as near to others as the nearest of them.

        Returns:
            Shape (p,).
        """
        starts = np.arange(len(vectors)) if starts is None else starts
        result = np.zeros(len(starts), np.float32)
        if not self.weight:
            return result
        ends = np.r_[starts[1:], len(vectors)]
        for first in range(0, len(starts), _PEOPLE):
            some = slice(first, min(first + _PEOPLE, len(starts)))
            begin = int(starts[some][0])
            cosines = vectors[begin : int(ends[some][-1])] @ self.reference.T
            best = _best_of_each(cosines, starts[some] - begin, ends[some] - starts[some])
            nearest = np.partition(best, -self.neighbours, axis=1)[:, -self.neighbours :]
            result[some] = self.weight * (nearest.mean(1) - self.center)
        return result


def _best_of_each(
    cosines: FloatArray, starts: npt.NDArray[np.intp], counts: npt.NDArray[np.intp]
) -> FloatArray:
    """The largest of each person's rows, shape (p, R).

    ``np.maximum.reduceat`` does the same; where most people have one face, as they do, this
    takes a tenth of its time.
    """
    best = cosines[starts]
    for face in range(1, int(counts.max())):
        people = np.flatnonzero(counts > face)
        best[people] = np.maximum(best[people], cosines[starts[people] + face])
    return best
