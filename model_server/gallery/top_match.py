"""P(same person) of the best match of all: by its score, and by its lead over the second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_server.analysis import FloatArray

__all__ = ["TopMatchCurve"]

_STEPS = 60
_RIDGE = 1e-4
"""Keeps the curve from becoming a step where score and lead tell everything."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TopMatchCurve:
    """A logistic curve of two numbers.

    Of two best matches with the same score, that is the person more often which is far ahead
    of the second: among thousands of celebrities several are about equally like a stranger,
    and only the person is much more like than all others.

    Attributes:
        score: Log-odds per unit of the best match's score.
        lead: Log-odds per unit of its lead over the second.
        intercept: Where both are 0.
    """

    score: float
    lead: float
    intercept: float

    def probability(self, best: float, second: float) -> float:
        """That the best match is the person, by its score and the second's; 0..1."""
        value = self.score * best + self.lead * (best - second) + self.intercept
        return float(1 / (1 + np.exp(-np.clip(value, -60, 60))))

    @classmethod
    def fit(
        cls, genuine: FloatArray, rivals: FloatArray, strangers: FloatArray
    ) -> TopMatchCurve | None:
        """Fits it by Newton's method; it is as likely as not that who asks is enrolled.

        An own score and the best matches among others belong together, face by face: a photo
        that tells little of its person is alike to nobody.

        Args:
            genuine: Scores that people reach with another photo of their own, shape (n,).
            rivals: What their faces score with the two best matches among all others, best
                first, -inf where there is none; shape (n, 2).
            strangers: The same of people who are not enrolled, shape (m, 2).

        Returns:
            None where nobody meets two others.
        """
        own_best = np.maximum(genuine, rivals[:, 0])
        won = genuine > rivals[:, 0]
        own_second = np.where(won, rivals[:, 0], np.maximum(genuine, rivals[:, 1]))
        enrolled = np.isfinite(rivals).all(1)
        apart = np.isfinite(strangers).all(1)
        counts = int(enrolled.sum()), int(apart.sum())
        if not all(counts):
            return None
        best = np.r_[own_best[enrolled], strangers[apart, 0]].astype(np.float64)
        second = np.r_[own_second[enrolled], strangers[apart, 1]].astype(np.float64)
        same = np.r_[won[enrolled], np.zeros(counts[1], bool)].astype(np.float64)
        weight = np.repeat([0.5 / counts[0], 0.5 / counts[1]], counts)
        return cls(*_logistic_regression(np.stack([best, best - second], axis=1), same, weight))


def _logistic_regression(
    values: Numbers, target: Numbers, weight: Numbers
) -> tuple[float, float, float]:
    """Weights of the two columns, and the intercept."""
    middle, scale = values.mean(0), np.maximum(values.std(0), 1e-9)
    design = np.column_stack([(values - middle) / scale, np.ones(len(values))])
    theta = np.zeros(3)
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ theta, -60, 60)))
        gradient = design.T @ (weight * (target - p)) - _RIDGE * theta
        curvature = (design * (weight * p * (1 - p))[:, None]).T @ design
        step = np.linalg.solve(curvature + (1e-9 + _RIDGE) * np.eye(3), gradient)
        theta += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:
            break
    slopes = theta[:2] / scale
    return float(slopes[0]), float(slopes[1]), float(theta[2] - slopes @ middle)
