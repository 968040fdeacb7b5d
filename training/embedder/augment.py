"""Aligned faces as phones, chats and imprecise landmarks would have left them."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageFilter

from model_server.analysis import Image
from training.embedder.crops import MARGIN, SIDE

__all__ = ["augment", "blends", "centre"]

_MAX_TURN = np.deg2rad(5)


def centre(crop: Image) -> Image:
    """The crop without its margin."""
    return crop[MARGIN : MARGIN + SIDE, MARGIN : MARGIN + SIDE]


def augment(crop: Image, rng: np.random.Generator) -> Image:
    """A variation of an aligned face.

    Landmarks are a little off, half of the faces are mirrored, and some photos are dark,
    pale, grey, blurred, small or badly compressed.

    Args:
        crop: RGB uint8 with its margin, shape (182, 182, 3).
        rng: Draws the variation.

    Returns:
        RGB uint8, shape (150, 150, 3).
    """
    picture = _moved(PillowImage.fromarray(crop), rng)
    if rng.random() < 0.5:
        picture = picture.transpose(PillowImage.Transpose.FLIP_LEFT_RIGHT)
    worn = rng.random()
    if worn < 0.12:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2.0)))
    elif worn < 0.27:
        picture = _enlarged(_shrunk(picture, int(rng.integers(40, 110))))
    if rng.random() < 0.6:
        picture = PillowImage.fromarray(_lit(np.asarray(picture), rng))
    if rng.random() < 0.35:
        picture = _compressed(picture, rng)
    if rng.random() < 0.07:
        picture = picture.convert("L").convert("RGB")
    return np.asarray(picture)


def _shrunk(picture: PillowImage.Image, side: int) -> PillowImage.Image:
    return picture.resize((side, side), PillowImage.Resampling.BILINEAR, reducing_gap=2)


def _enlarged(picture: PillowImage.Image) -> PillowImage.Image:
    return picture.resize((SIDE, SIDE), PillowImage.Resampling.BILINEAR)


def _compressed(picture: PillowImage.Image, rng: np.random.Generator) -> PillowImage.Image:
    """As JPEG would have left it in its photo, where most faces are smaller than the crop."""
    stream = io.BytesIO()
    small = _shrunk(picture, int(rng.integers(75, SIDE + 1)))
    small.save(stream, "JPEG", quality=int(rng.integers(15, 70)))
    return _enlarged(PillowImage.open(stream))


def blends(crops: Image, rng: np.random.Generator) -> Image:
    """Faces of nobody: each of the faces laid half over another one, chosen at random.

    They lie between the people of a data set, where its photos say nothing.

    Args:
        crops: Aligned faces, shape (N, height, width, 3).
        rng: Chooses.

    Returns:
        The same shape.
    """
    result = np.empty_like(crops)
    for row, other in enumerate(rng.permutation(len(crops))):
        # The mean of two bytes, without leaving bytes.
        result[row] = (crops[row] >> 1) + (crops[other] >> 1) + (crops[row] & crops[other] & 1)
    return result


def _moved(picture: PillowImage.Image, rng: np.random.Generator) -> PillowImage.Image:
    turn = float(np.clip(rng.normal(0, 0.03), -_MAX_TURN, _MAX_TURN))
    scale = float(np.clip(rng.normal(1, 0.05), 0.88, 1.12))
    shift = rng.normal(0, 2.0, 2).clip(-5, 5)
    cosine, sine = np.cos(turn) * scale, np.sin(turn) * scale
    middle, half = MARGIN + SIDE / 2, SIDE / 2
    return picture.transform(
        (SIDE, SIDE),
        PillowImage.Transform.AFFINE,
        (
            cosine,
            -sine,
            middle + shift[0] - half * (cosine - sine),
            sine,
            cosine,
            middle + shift[1] - half * (sine + cosine),
        ),
        PillowImage.Resampling.BILINEAR,
    )


def _lit(image: Image, rng: np.random.Generator) -> Image:
    levels = np.arange(256) / 255
    gamma, lift = rng.uniform(0.6, 1.6), rng.uniform(-0.1, 0.1)
    gain = np.exp(rng.uniform(np.log(0.55), np.log(1.55)))
    table = levels**gamma * gain + lift
    tint = rng.normal(1, 0.05, 3)
    tables = np.clip(table[:, None] * tint * 255, 0, 255).astype(np.uint8)
    return np.stack([tables[image[..., channel], channel] for channel in range(3)], axis=-1)
