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

from model_server.analysis import FloatArray
from model_server.errors import BundleError

__all__ = ["Hubness"]

_ROWS = 8192


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
        # Each is its own nearest neighbour: one more is taken and the first left out.
        cosines = np.sort(reference @ reference.T, axis=1)[:, -raw.neighbours - 1 : -1]
        return cls(reference, raw.neighbours, weight, float(cosines.mean()))

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any], reference: FloatArray) -> Hubness:
        """Reads it from a bundle.

        Raises:
            BundleError: Something is missing.
        """
        try:
            return cls.fit(reference, int(manifest["neighbours"]), float(manifest["weight"]))
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"the hubness in the bundle does not fit: {error}") from error

    def bias(self, vectors: FloatArray) -> FloatArray:
        """What to take off each face's cosines; unit rows (n, D) to shape (n,)."""
        result = np.zeros(len(vectors), np.float32)
        if not self.weight:
            return result
        for start in range(0, len(vectors), _ROWS):
            cosines = vectors[start : start + _ROWS] @ self.reference.T
            nearest = np.partition(cosines, -self.neighbours, axis=1)[:, -self.neighbours :]
            result[start : start + _ROWS] = self.weight * (nearest.mean(1) - self.center)
        return result
