"""Other draws of the people: what another sample would have given (bootstrap, Efron, 1979)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["draw_people", "interval"]

_RESAMPLES = 1000


def draw_people(count: int) -> npt.NDArray[np.int64]:
    """So many people drawn from as many, with replacement, again and again; always the same.

    Returns:
        Numbers of people, shape (1000, count).
    """
    return np.random.default_rng(0).integers(0, count, (_RESAMPLES, count))


def interval(drawn: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The two ends between which 95 % of the draws lie.

    Args:
        drawn: What each draw gave, shape (draws, ...).

    Returns:
        Shape (2, ...).
    """
    return np.asarray(np.quantile(drawn, [0.025, 0.975], axis=0), np.float64)
