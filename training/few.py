"""A few photos of each person, where people are measured."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["MAX_PHOTOS", "few_of_each"]

MAX_PHOTOS = 6
"""Of a person: one of LFW's val people has 121 photos, most have one or two."""


def few_of_each(people: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
    """Which faces are among the first :data:`MAX_PHOTOS` of their person.

    A person with a hundred photos must not outweigh a hundred people.

    Args:
        people: Person of each face, shape (N,).

    Returns:
        Shape (N,).
    """
    few = np.zeros(len(people), bool)
    for person in np.unique(people):
        few[np.flatnonzero(people == person)[:MAX_PHOTOS]] = True
    return few
