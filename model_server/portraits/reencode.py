"""Pictures of strangers are decoded and written anew before anyone else sees them.

What comes out is a plain JPEG: no metadata, no hidden second file, no format
that only some programs read, and no picture that makes a viewer run out of memory.
"""

from __future__ import annotations

import numpy as np
from PIL import Image as PillowImage

from model_server.errors import InvalidPhotoError
from model_server.imaging import decode, encode_jpeg
from model_server.limits import ImageLimits
from model_server.portraits.portrait import PortraitProviderError

__all__ = ["MAX_PICTURE_BYTES", "to_portrait_jpeg"]

MAX_PICTURE_BYTES = 8 * 1024 * 1024
_MAX_HEIGHT_RATIO = 2.0  # posters and full figures: keep the upper part, where the head is


def to_portrait_jpeg(picture: bytes, width_px: int) -> bytes:
    """JPEG of the picture, at most ``width_px`` wide and twice as high.

    Raises:
        PortraitProviderError: The bytes are no picture that can be used.
    """
    limits = ImageLimits(
        max_bytes=MAX_PICTURE_BYTES,
        max_pixels=40_000_000,
        min_side=32,
        working_side=4 * width_px,
    )
    try:
        pixels = decode(picture, limits).pixels
    except InvalidPhotoError as error:
        raise PortraitProviderError(f"unusable picture: {error}") from error
    height, width = pixels.shape[:2]
    pixels = pixels[: round(width * _MAX_HEIGHT_RATIO)]
    height = pixels.shape[0]
    if width > width_px:
        size = (width_px, max(1, round(height * width_px / width)))
        resized = PillowImage.fromarray(pixels).resize(size, PillowImage.Resampling.LANCZOS)
        pixels = np.asarray(resized)
    return encode_jpeg(pixels, quality=88)
