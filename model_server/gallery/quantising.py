"""Vectors as bytes, for distances that need not be exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_server.analysis import FloatArray

__all__ = ["Quantiser"]

_HIGHEST = 127
_KEPT = 0.9999
"""This share of the values is in range; what is beyond is cut off."""


@dataclass(frozen=True, slots=True)
class Quantiser:
    """Scalar quantisation to int8, one step width for all dimensions.

    What all faces have in common is taken off first: half of an embedding's length may be
    the mean of all, which tells nobody apart. Moving the origin changes no Euclidean
    distance, and between unit vectors these rank as cosines do.

    Attributes:
        mean: What is taken off, shape (D,).
        scale: Steps per unit.
    """

    mean: FloatArray
    scale: float

    @classmethod
    def fit(cls, rows: FloatArray) -> Quantiser:
        """Fitted to faces like those that will come; unit rows (n, D), n > 0."""
        mean = rows.mean(axis=0, dtype=np.float32)
        reach = float(np.quantile(np.abs(rows - mean), _KEPT))
        # A single face has no spread: then the whole range of a unit vector.
        return cls(mean, _HIGHEST / reach if reach > 1e-3 else float(_HIGHEST))

    def __call__(self, rows: FloatArray) -> npt.NDArray[np.int8]:
        """Rows (n, D) as bytes."""
        steps = np.rint((rows - self.mean) * np.float32(self.scale))
        bytes_: npt.NDArray[np.int8] = np.clip(steps, -_HIGHEST, _HIGHEST).astype(np.int8)
        return bytes_
