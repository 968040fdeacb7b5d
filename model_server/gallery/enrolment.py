"""Which faces may enter the gallery together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from model_server.errors import DuplicatePhotoError, WrongPersonError
from model_server.gallery.calibration import Calibration
from model_server.gallery.records import NewFace

__all__ = ["check_new_faces", "photo_digest"]

MIN_SAME_PERSON = 0.02
"""A face less likely than this to be the person of any of the others is refused."""

DUPLICATE_COSINE = 0.995
"""Two photos of one person are never as alike; one photo saved twice is."""


def photo_digest(photo: bytes) -> str:
    """What a photo is recognised by when it is enrolled twice."""
    return hashlib.sha256(photo).hexdigest()


def check_new_faces(
    new: Sequence[NewFace], enrolled: Sequence[NewFace], name: str, calibration: Calibration
) -> None:
    """Checks faces that are to join those of a celebrity.

    Args:
        new: The faces to add.
        enrolled: Those that are there.
        name: Of the celebrity, for messages.
        calibration: For P(same person).

    Raises:
        DuplicatePhotoError: A photo is there already, or twice among the new ones.
        WrongPersonError: A face is far from all others.
    """
    for number, face in enumerate(new):
        _check_duplicate(face, [*enrolled, *new[:number]], number, name)
    for number, face in enumerate(new):
        others = [*enrolled, *new[:number], *new[number + 1 :]]
        _check_person(face, others, number, name, calibration)


def _check_duplicate(face: NewFace, others: Sequence[NewFace], number: int, name: str) -> None:
    for other in others:
        same_file = face.photo_digest is not None and face.photo_digest == other.photo_digest
        if same_file or float(face.embedding @ other.embedding) >= DUPLICATE_COSINE:
            raise DuplicatePhotoError(
                f"photo {number + 1} of {name} is enrolled already: send another one",
                metadata={"photo": str(number)},
            )


def _check_person(
    face: NewFace, others: Sequence[NewFace], number: int, name: str, calibration: Calibration
) -> None:
    if not others:
        return
    cosine = max(float(face.embedding @ other.embedding) for other in others)
    probability = calibration.probability(cosine)
    if probability < MIN_SAME_PERSON:
        raise WrongPersonError(
            f"photo {number + 1} does not look like the other photos of {name} "
            f"(probability {probability:.3f} that it is the same person): check whom it shows",
            metadata={"photo": str(number), "same_person_probability": f"{probability:.4f}"},
        )
