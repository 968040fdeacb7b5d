"""Labeled Faces in the Wild (Huang et al. 2007), deep-funneled, with attribute scores by FaRL."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.photos import Photos, open_photos

__all__ = ["EYES", "FaceSet", "read_lfw"]

EYES = np.array([[104.0, 113.0], [146.0, 113.0]], np.float32)
"""Where deep funneling puts the eyes, pixels of the 250 x 250 picture: left, right."""


@dataclass(frozen=True, slots=True)
class FaceSet:
    """Photos of faces with attribute scores.

    Attributes:
        names: Of the photos in ``photos``, N of them.
        people: Whom each shows.
        training: Shape (N,): in the training split; people are never in both.
        scores: Score name → shape (N,), NaN where there is none.
        photos: The photos.
    """

    names: tuple[str, ...]
    people: tuple[str, ...]
    training: npt.NDArray[np.bool_]
    scores: Mapping[str, npt.NDArray[np.float64]]
    photos: Photos


def read_lfw(folder: Path) -> FaceSet:
    """Reads images.tar, images.csv and attributes.csv.gz in ``folder``."""
    with (folder / "images.csv").open(encoding="utf-8", newline="") as stream:
        images = list(csv.DictReader(stream))
    with gzip.open(folder / "attributes.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        columns = [
            name for name in reader.fieldnames or () if name not in {"image_name", "emotion"}
        ]
        rows = {row["image_name"]: row for row in reader}
    blank = dict.fromkeys(columns, "nan")
    found = [rows.get(image["image_name"], blank) for image in images]
    return FaceSet(
        names=tuple(image["path_in_tar"] for image in images),
        people=tuple(image["person"] for image in images),
        training=np.array([image["split"] == "train" for image in images]),
        scores={
            column: np.array([float(row[column] or "nan") for row in found]) for column in columns
        },
        photos=open_photos(folder / "images.tar"),
    )
