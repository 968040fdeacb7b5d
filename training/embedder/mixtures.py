"""Faces of nobody, and what the teacher says of them.

Between the few thousand people of a data set lie most of the faces that there are. A student
that has seen only those people says of others what it said of the nearest of them; one that
has also learnt what the teacher says of mixtures follows it there too (Zhang et al., "mixup",
2018; the labels are the teacher's own, so no rule for mixing them is needed).
"""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np

from model_server.analysis import FloatArray, Image
from training.embedder.crops import FaceSet
from training.embedder.teacher import DIMENSION, Reference

__all__ = ["MIXTURES", "load_mixtures", "mix", "write_mixtures"]

log = logging.getLogger(__name__)

_IMAGES = "mixtures.npy"
MIXTURES = "mixtures-teacher.npy"
"""What is written last: where it is, the mixtures are complete."""

_GRID = 4
"""Points along a side that are moved at random; the face between them follows smoothly."""

_MOVED_PX = 2.5
"""Standard deviation of their way: another nose, other distances between the features."""

_BATCH = 16


def mix(first: Image, other: Image, rng: np.random.Generator) -> Image:
    """A face made of two aligned ones and bent a little.

    The share of the first face is the same everywhere, or changes along some direction from
    nothing to everything, steeply or hardly: upper half of the one, lower half of the other.

    Args:
        first: RGB uint8, shape (height, width, 3).
        other: The same shape.
        rng: Draws shares, direction and bending.

    Returns:
        RGB uint8, the same shape.
    """
    height, width = first.shape[:2]
    share = np.full((height, width, 1), rng.uniform(0.3, 0.7), np.float32)
    if rng.random() < 0.6:
        angle, steepness = rng.uniform(0, 2 * np.pi), rng.uniform(4, 16)
        x = np.linspace(-0.5, 0.5, width) * np.cos(angle)
        y = np.linspace(-0.5, 0.5, height)[:, None] * np.sin(angle)
        along = steepness * (x + y - rng.normal(0, 0.08))
        share = (1 / (1 + np.exp(-along))).astype(np.float32)[..., None]
    mixed = (share * first + (1 - share) * other + 0.5).astype(np.uint8)
    return _bent(mixed, rng)


def _bent(image: Image, rng: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    moves = rng.normal(0, _MOVED_PX, (_GRID, _GRID, 2)).astype(np.float32)
    flow = cv2.resize(moves, (width, height), interpolation=cv2.INTER_CUBIC)
    columns = np.arange(width, dtype=np.float32) + flow[..., 0]
    rows = np.arange(height, dtype=np.float32)[:, None] + flow[..., 1]
    bent = cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(bent, np.uint8)


def write_mixtures(
    faces: FaceSet, rows: np.ndarray[tuple[int], np.dtype[np.int64]], reference: Reference,
    folder: Path, count: int,
) -> None:  # fmt: skip
    """Mixes faces at random and asks the teacher about each mixture.

    Args:
        faces: The data sets' faces.
        rows: Those to be mixed.
        reference: The teacher.
        folder: Where to write mixtures.npy, shape (count, 182, 182, 3), and the teacher's unit
            rows, shape (count, 256).
        count: Mixtures.
    """
    rng = np.random.default_rng(0)
    images = np.lib.format.open_memmap(
        folder / _IMAGES, "w+", np.uint8, (count, *faces.crops.shape[1:])
    )
    vectors = np.zeros((count, DIMENSION), np.float32)
    for start in range(0, count, _BATCH):
        batch = slice(start, min(start + _BATCH, count))
        pairs = rng.choice(rows, (batch.stop - start, 2))
        mixed = [mix(faces.crops[one], faces.crops[two], rng) for one, two in pairs]
        images[batch] = mixed
        vectors[batch] = reference.embed(np.stack([reference.align_crop(one) for one in mixed]))
        if start % (256 * _BATCH) == 0:
            log.info("%d of %d mixtures", start, count)
    images.flush()
    np.save(folder / MIXTURES, vectors)


def load_mixtures(folder: Path) -> tuple[Image, FloatArray]:
    """What :func:`write_mixtures` wrote; the images stay on disk until they are used."""
    return np.load(folder / _IMAGES, mmap_mode="r"), np.load(folder / MIXTURES)
