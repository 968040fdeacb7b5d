"""Do probabilities say what happens? Bins, their error, and what chance alone would show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Bin", "calibration_error", "chance_error", "reliability"]

BINS = 15
_DRAWS = 200

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose probability lies between two values.

    Attributes:
        low: From here.
        high: To here.
        count: Answers.
        share: Of all answers, by weight.
        said: Mean probability.
        true: Share that are of the same person.
    """

    low: float
    high: float
    count: int
    share: float
    said: float
    true: float


def reliability(
    probability: Numbers, same: npt.NDArray[np.bool_], weight: Numbers, bins: int = BINS
) -> list[Bin]:
    """Answers in bins of equal width; empty ones are left out.

    Args:
        probability: What was said, 0..1, shape (n,).
        same: What is true, shape (n,).
        weight: How much each answer counts, shape (n,).
        bins: How many.
    """
    which = np.minimum((probability * bins).astype(int), bins - 1)
    result = []
    for number in np.unique(which).tolist():
        inside = which == number
        total = float(weight[inside].sum())
        result.append(
            Bin(
                number / bins,
                (number + 1) / bins,
                int(inside.sum()),
                total / float(weight.sum()),
                float((weight * probability)[inside].sum()) / total,
                float((weight * same)[inside].sum()) / total,
            )
        )
    return result


def calibration_error(
    probability: Numbers, same: npt.NDArray[np.bool_], weight: Numbers, bins: int = BINS
) -> float:
    """Expected calibration error (Naeini et al., 2015): mean |said - true| over the bins.

    With few answers it is too large: compare it with :func:`chance_error`.
    """
    found = reliability(probability, same, weight, bins)
    return sum(one.share * abs(one.said - one.true) for one in found)


def chance_error(probability: Numbers, weight: Numbers, bins: int = BINS, seed: int = 0) -> float:
    """The error that as many answers would show if each probability were exactly right.

    Answers about one person are taken to be independent, which they are not quite: the
    real value is somewhat higher.
    """
    rng = np.random.default_rng(seed)
    draws = (rng.random(len(probability)) < probability for _ in range(_DRAWS))
    return float(np.mean([calibration_error(probability, same, weight, bins) for same in draws]))
