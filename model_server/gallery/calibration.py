"""P(same person): what a similarity says about identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model_server.analysis import FloatArray
from model_server.errors import BundleError

__all__ = ["Calibration"]

_STEPS = 100

Weights = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """P(same person) as a logistic function of a similarity (Platt, 1999).

    Attributes:
        slope: Per unit of similarity.
        intercept: At similarity 0.
    """

    slope: float
    intercept: float

    def probability(self, similarity: float) -> float:
        """0..1."""
        exponent = np.clip(self.slope * similarity + self.intercept, -60, 60)
        return float(1 / (1 + np.exp(-exponent)))

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> Calibration:
        """Reads it from a bundle.

        Raises:
            BundleError: Something is missing.
        """
        try:
            return cls(float(manifest["slope"]), float(manifest["intercept"]))
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"the calibration in the bundle does not fit: {error}") from error

    @classmethod
    def fit(
        cls,
        same: FloatArray,
        different: FloatArray,
        same_weight: Weights | None = None,
        different_weight: Weights | None = None,
    ) -> Calibration:
        """Fits it by Newton's method, targets smoothed as Platt does.

        Args:
            same: Similarities of the same person, shape (n,).
            different: Similarities of different people, shape (m,).
            same_weight: How much each counts, shape (n,); None: all of them as much as
                all of the other kind.
            different_weight: The same for the other kind, shape (m,).
        """
        similarities = np.concatenate([same, different]).astype(np.float64)
        # Centred and scaled, Newton's steps are safe from the start.
        middle, scale = similarities.mean(), max(float(similarities.std()), 1e-9)
        design = np.stack([(similarities - middle) / scale, np.ones(len(similarities))], axis=1)
        counts = (len(same), len(different))
        target = np.repeat([1 - 1 / (counts[0] + 2), 1 / (counts[1] + 2)], counts)
        weight = np.repeat([0.5 / counts[0], 0.5 / counts[1]], counts)
        if same_weight is not None:
            weight[: counts[0]] *= same_weight
        if different_weight is not None:
            weight[counts[0] :] *= different_weight
        theta = np.zeros(2)
        for _ in range(_STEPS):
            p = 1 / (1 + np.exp(-np.clip(design @ theta, -60, 60)))
            gradient = design.T @ (weight * (target - p))
            curvature = (design * (weight * p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(2)
            step = np.clip(np.linalg.solve(curvature, gradient), -2, 2)
            theta += step
            if np.abs(step).max() < 1e-8:
                break
        slope = float(theta[0] / scale)
        return cls(slope, float(theta[1] - slope * middle))
