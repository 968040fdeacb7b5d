"""From cosine to scores that people understand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_server.analysis import FloatArray, Similarity
from model_server.errors import BundleError

__all__ = ["Calibration", "Scorer"]

_MAX_LIKENESS = 99.9
"""Ranks end just below 100, which is kept for nobody."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """P(same person) as a logistic function of the cosine (Platt, 1999).

    Attributes:
        slope: Per unit of cosine.
        intercept: At cosine 0.
    """

    slope: float
    intercept: float

    def probability(self, cosine: float) -> float:
        """0..1."""
        return float(1 / (1 + np.exp(-np.clip(self.slope * cosine + self.intercept, -60, 60))))

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


class Scorer:
    """Likeness and P(same person).

    Likeness ranks a similarity among the best-match similarities of people who are not
    in the gallery. Those are the reference: their best matches are searched anew when
    the gallery grows, so that 50 keeps meaning "as alike as the average person's best".

    Args:
        calibration: For P(same person).
        best_matches: Cosine of the best match of each reference person, any order.
    """

    def __init__(self, calibration: Calibration, best_matches: FloatArray) -> None:
        self._calibration = calibration
        self._sorted = np.sort(best_matches.astype(np.float64))

    def score(self, cosine: float) -> Similarity:
        """All three units of a similarity."""
        return Similarity(
            cosine=float(np.clip(cosine, -1.0, 1.0)),
            likeness=self.likeness(cosine),
            same_person_probability=self._calibration.probability(cosine),
        )

    def likeness(self, cosine: float) -> float:
        """0..100, rising with the cosine everywhere.

        Between the reference's values the rank is interpolated. Below and above them it
        falls and rises on smoothly, so that no two different similarities tie.
        """
        reference = self._sorted
        count = len(reference)
        if not count:
            # An empty gallery has no best matches to rank among.
            return float(np.clip(50.0 * (cosine + 1), 0, _MAX_LIKENESS))
        ranks = (np.arange(count) + 0.5) / count
        low, high = float(reference[0]), float(reference[-1])
        spread = max(float(reference.std()), 1e-6)
        if cosine < low:
            rank = ranks[0] * np.exp((cosine - low) / spread)
        elif cosine > high:
            rank = 1 - (1 - ranks[-1]) * np.exp((high - cosine) / spread)
        else:
            rank = float(np.interp(cosine, reference, ranks))
        return float(min(100 * rank, _MAX_LIKENESS))
