"""Aligned faces as phones, chats and imprecise landmarks would have left them."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageFilter

from model_server.analysis import Image
from training.embedder.crops import MARGIN, SIDE

__all__ = ["augment", "centre"]

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
        side = int(rng.integers(40, 110))
        small = picture.resize((side, side), PillowImage.Resampling.BILINEAR, reducing_gap=2)
        picture = small.resize((SIDE, SIDE), PillowImage.Resampling.BILINEAR)
    if rng.random() < 0.2:
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=int(rng.integers(15, 60)))
        picture = PillowImage.open(stream)
    if rng.random() < 0.07:
        picture = picture.convert("L").convert("RGB")
    if rng.random() < 0.6:
        return _lit(np.asarray(picture), rng)
    return np.asarray(picture)


def _moved(picture: PillowImage.Image, rng: np.random.Generator) -> PillowImage.Image:
    turn = float(np.clip(rng.normal(0, 0.03), -_MAX_TURN, _MAX_TURN))
    scale = float(np.clip(rng.normal(1, 0.03), 0.92, 1.08))
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
    gamma, gain, lift = rng.uniform(0.6, 1.6), rng.uniform(0.7, 1.2), rng.uniform(-0.1, 0.1)
    table = levels**gamma * gain + lift
    tint = rng.normal(1, 0.05, 3)
    tables = np.clip(table[:, None] * tint * 255, 0, 255).astype(np.uint8)
    return np.stack([tables[image[..., channel], channel] for channel in range(3)], axis=-1)
