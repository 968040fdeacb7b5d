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

_FIRST_LAPSES = 0.02
_LAPSE_STEPS = 1000
_RIDGE = 1e-5
"""Keeps the curve from becoming a step where no two similarities are out of order."""

_LAPSES_PRECISION = 1e-7

Weights = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """P(same person) as a logistic function of a similarity (Platt, 1999).

    Attributes:
        slope: Per unit of similarity.
        intercept: At similarity 0.
        guess: Where the curve begins: P(same person) of faces that are nothing alike.
        lapse: By how much it stays below 1: P(different people) of faces wholly alike.
    """

    slope: float
    intercept: float
    guess: float = 0.0
    lapse: float = 0.0

    def probability(self, similarity: float) -> float:
        """0..1."""
        odds = self.odds(similarity)
        return self.guess + self.told * odds / (1 + odds)

    def odds(self, similarity: float) -> float:
        """Of the same person, where it is the similarity that tells."""
        return float(np.exp(np.clip(self.slope * similarity + self.intercept, -60, 60)))

    @property
    def told(self) -> float:
        """How often it is the similarity that tells, 0..1."""
        return 1 - self.guess - self.lapse

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
        data = _Data.of(same, different, same_weight, different_weight)
        return data.curve(_newton(data.design, data.target, data.weight, np.zeros(2)))

    @classmethod
    def fit_with_lapses(
        cls,
        same: FloatArray,
        different: FloatArray,
        same_weight: Weights | None = None,
        different_weight: Weights | None = None,
    ) -> Calibration:
        """As :meth:`fit`, but some answers may have nothing to do with the similarity.

        Faces that were found wrongly or are labelled wrongly would else flatten the curve
        for all others. How many there are is fitted too, as psychologists do with guesses
        and lapses (Wichmann & Hill, 2001), by expectation maximisation.
        """
        data = _Data.of(same, different, same_weight, different_weight)
        theta = _newton(data.design, data.target, data.weight, np.zeros(2))
        is_same = np.arange(len(data.weight)) < len(same)
        total = data.weight.sum()
        guess = lapse = _FIRST_LAPSES
        for _ in range(_LAPSE_STEPS):
            p = guess + (1 - guess - lapse) * _logistic(data.design @ theta)
            chance = np.where(is_same, guess / p, lapse / (1 - p))
            # Not Platt's targets: what they allow for is what the lapses are.
            weight = data.weight * (1 - chance)
            theta = _newton(data.design, is_same.astype(np.float64), weight, theta, _RIDGE)
            before = guess, lapse
            by_chance = data.weight * chance / total
            guess, lapse = float(by_chance[is_same].sum()), float(by_chance[~is_same].sum())
            if max(abs(guess - before[0]), abs(lapse - before[1])) < _LAPSES_PRECISION:
                break
        plain = data.curve(theta)
        return cls(plain.slope, plain.intercept, guess, lapse)


@dataclass(frozen=True, slots=True)
class _Data:
    """What a curve is fitted to: similarities centred and scaled, Newton's steps are safe then."""

    design: Weights
    target: Weights
    weight: Weights
    middle: float
    scale: float

    @classmethod
    def of(
        cls,
        same: FloatArray,
        different: FloatArray,
        same_weight: Weights | None,
        different_weight: Weights | None,
    ) -> _Data:
        similarities = np.concatenate([same, different]).astype(np.float64)
        middle, scale = float(similarities.mean()), max(float(similarities.std()), 1e-9)
        design = np.stack([(similarities - middle) / scale, np.ones(len(similarities))], axis=1)
        counts = (len(same), len(different))
        target = np.repeat([1 - 1 / (counts[0] + 2), 1 / (counts[1] + 2)], counts)
        weight = np.repeat([0.5 / counts[0], 0.5 / counts[1]], counts)
        if same_weight is not None:
            weight[: counts[0]] *= same_weight
        if different_weight is not None:
            weight[counts[0] :] *= different_weight
        return cls(design, target, weight, middle, scale)

    def curve(self, theta: Weights) -> Calibration:
        slope = float(theta[0] / self.scale)
        return Calibration(slope, float(theta[1] - slope * self.middle))


def _newton(
    design: Weights, target: Weights, weight: Weights, theta: Weights, ridge: float = 0.0
) -> Weights:
    """The logistic curve's two numbers."""
    for _ in range(_STEPS):
        p = _logistic(design @ theta)
        gradient = design.T @ (weight * (target - p)) - ridge * theta
        curvature = (design * (weight * p * (1 - p))[:, None]).T @ design
        curvature += (1e-9 + ridge) * np.eye(2)
        step = np.clip(np.linalg.solve(curvature, gradient), -2, 2)
        theta = theta + step
        if np.abs(step).max() < 1e-8:
            break
    return theta


def _logistic(values: Weights) -> Weights:
    result: Weights = 1 / (1 + np.exp(-np.clip(values, -60, 60)))
    return result
