"""What a photo and a message may be; apart from what decodes them, which takes long to import."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MAX_MESSAGE_BYTES", "MOST_PIXELS", "ImageLimits"]

MAX_MESSAGE_BYTES = 24 * 2**20
"""Of one request, all its photos together."""

MOST_PIXELS = 178_956_970
"""Pillow refuses to open anything larger, whatever the limits say."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What a photo may be.

    Attributes:
        max_bytes: Size of the file.
        max_pixels: Width times height, checked before anything is decoded; at most
            :data:`MOST_PIXELS`.
        min_side: Pixels of the shorter side.
        working_side: Larger photos are decoded at a reduced scale, to about
            this many pixels along the longer side.
    """

    max_bytes: int = 20 * 1024 * 1024
    max_pixels: int = 80_000_000
    min_side: int = 16
    working_side: int = 1600
