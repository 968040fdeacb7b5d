"""One person in several photos: whose face in each, and one embedding of all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from model_server.analysis import FloatArray
from model_server.errors import WrongPersonError

__all__ = ["MIN_SAME_PERSON", "choose_faces", "weighted_mean"]

MIN_SAME_PERSON = 0.3
"""A photo in which no face is as likely as this the person of any other photo is refused."""

_LEAST_QUALITY = 0.05
"""Photos that are all poor count all the same."""


def choose_faces(
    photos: Sequence[FloatArray], same_person: Callable[[FloatArray, FloatArray], float]
) -> list[int]:
    """The face of the first photo's person in every photo.

    The surest photo comes first, and what it shows helps with the next (a maximum
    spanning tree, Prim, 1957): a profile may be like a half-profile and hardly like the
    face from the front.

    Args:
        photos: Embeddings of the faces of each, unit rows, shape (n, D), n at least 1;
            of the first photo the first face is meant.
        same_person: P(same person) of two embeddings, shape (D,) each.

    Returns:
        Number of the face in each photo.

    Raises:
        WrongPersonError: A photo shows nobody like the person.
    """
    chosen = {0: 0}
    best = dict.fromkeys(range(1, len(photos)), (-1.0, 0))
    newest = photos[0][0]
    while best:
        for number, known in best.items():
            found = ((same_person(newest, face), row) for row, face in enumerate(photos[number]))
            best[number] = max([known, *found], key=lambda pair: pair[0])
        number = max(best, key=lambda photo: best[photo][0])
        probability, row = best.pop(number)
        if probability < MIN_SAME_PERSON:
            wrong = sorted([number, *best])
            raise WrongPersonError(
                f"photo {wrong[0] + 1} does not seem to show the person of the first photo "
                f"(probability {probability:.3f}): leave it out, or send it by itself",
                metadata={
                    "photo": str(wrong[0]),
                    "photos": ",".join(map(str, wrong)),
                    "same_person_probability": f"{probability:.4f}",
                },
            )
        chosen[number] = row
        newest = photos[number][row]
    return [chosen[number] for number in range(len(photos))]


def weighted_mean(embeddings: FloatArray, qualities: Sequence[float]) -> FloatArray:
    """One embedding of several faces of a person: a good photo says more than a poor one.

    Args:
        embeddings: Unit rows, shape (n, D).
        qualities: Of each face, 0..1, see ``face_quality``.

    Returns:
        Unit vector, shape (D,).
    """
    weights = np.maximum(np.asarray(qualities, np.float32), _LEAST_QUALITY)
    mean = weights @ embeddings
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)
