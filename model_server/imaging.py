"""Photos into arrays: decoding with limits, and THE preprocessing of serving and training."""

from __future__ import annotations

import functools
import io
import math
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageOps

from model_server.analysis import FloatArray, Image
from model_server.errors import (
    BundleError,
    CorruptPhotoError,
    EmptyPhotoError,
    PhotoTooLargeError,
    PhotoTooSmallError,
    TooManyPixelsError,
    UnsupportedFormatError,
)
from model_server.limits import ImageLimits

__all__ = [
    "DecodedPhoto",
    "Preprocessing",
    "adapt_tone",
    "decode",
    "encode_jpeg",
    "preprocess",
    "smooth_colours",
    "sniff",
]

READABLE = "JPEG, PNG, WebP, GIF, AVIF or HEIC"

# What Pillow and its plug-ins raise for damaged files, by format and kind of damage.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, RuntimeError, struct.error)


_REDUCING_GAP = 2.0
"""Averaging whole pixels leaves this many times the working size, which is then interpolated."""

_STRIP_PIXELS = 2**20

_REDUCED_FROM = 448
"""Pixels of the shorter side; half of it is what networks that look at the whole photo see."""


_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
"""Of red, green and blue (ITU-R BT.601)."""

_MEDIAN = 115.0
"""What :func:`adapt_tone` makes of the median luminance: about that of all faces."""

_DARKEST_MEDIAN = 8.0
"""Below this there is nothing but noise, which stays dark."""


@dataclass(frozen=True, slots=True)
class DecodedPhoto:
    """An upright photo.

    Attributes:
        pixels: RGB, shape (rows, columns, 3); reduced where the photo is large.
        reduced: Once more at half the size, for what looks at the photo as a whole; of
            small photos the pixels themselves.
        width: Of the upright photo at full size, pixels.
        height: Of the upright photo at full size, pixels.
    """

    pixels: Image
    reduced: Image
    width: int
    height: int

    @property
    def scale(self) -> float:
        """Full-size pixels per pixel of :attr:`pixels`."""
        return self.width / int(self.pixels.shape[1])


def sniff(data: bytes) -> str | None:
    """Pillow's name of the format that the bytes are in, or None where we do not read it."""
    if data[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if data[:6] in {b"GIF87a", b"GIF89a"}:
        return "GIF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _iso_brand(data)
    return None


def _iso_brand(data: bytes) -> str | None:
    """AVIF or HEIF by the brands of an ISO base media file (ISO/IEC 14496-12, 23008-12)."""
    box_end = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, box_end, 4))}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    if brands & {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}:
        return "HEIF"
    return None


def decode(data: bytes, limits: ImageLimits | None = None) -> DecodedPhoto:
    """Decodes a photo, upright and in RGB.

    The first frame of animations is taken, transparency is laid over white.

    Raises:
        InvalidPhotoError: One of its kinds, by what is wrong with the bytes.
    """
    limits = limits or ImageLimits()
    if not data:
        raise EmptyPhotoError("the photo has no bytes: send the content of an image file")
    if len(data) > limits.max_bytes:
        raise PhotoTooLargeError(
            f"the photo has {len(data) / 2**20:.1f} MiB, at most "
            f"{limits.max_bytes / 2**20:.0f} MiB are taken: send a smaller copy"
        )
    file_format = sniff(data)
    if file_format is None:
        raise UnsupportedFormatError(f"these bytes are no photo: send a {READABLE} file")
    _register_heif()
    try:
        with PillowImage.open(io.BytesIO(data), formats=[file_format]) as picture:
            _check_size(picture.size, limits)
            return _load(picture, limits)
    except (PillowImage.DecompressionBombError, PillowImage.DecompressionBombWarning) as error:
        raise TooManyPixelsError(
            f"the photo has more than {limits.max_pixels / 1e6:.0f} megapixels: send a smaller copy"
        ) from error
    except _DAMAGED as error:
        raise CorruptPhotoError(
            f"the {file_format} file is truncated or damaged: send it once more"
        ) from error


@functools.cache
def _register_heif() -> None:
    import pillow_heif  # noqa: PLC0415 - takes 50 ms that training and tests of others need not pay

    pillow_heif.register_heif_opener()


def _check_size(size: tuple[int, int], limits: ImageLimits) -> None:
    width, height = size
    if width * height > limits.max_pixels:
        raise TooManyPixelsError(
            f"the photo has {width} x {height} pixels, at most "
            f"{limits.max_pixels / 1e6:.0f} megapixels are taken: send a smaller copy"
        )
    if min(size) < limits.min_side:
        raise PhotoTooSmallError(
            f"the photo has {width} x {height} pixels, at least "
            f"{limits.min_side} are needed on each side: send a larger one"
        )


def _load(picture: PillowImage.Image, limits: ImageLimits) -> DecodedPhoto:
    full_size = picture.size
    shrink = limits.working_side / max(full_size)
    if shrink < 1:
        wanted = (round(full_size[0] * shrink), round(full_size[1] * shrink))
        # For JPEGs, decodes at 1/2, 1/4 or 1/8: several times faster than all the pixels.
        picture.draft("RGB", wanted)
    rgb = _to_rgb(picture, limits.working_side)
    if max(rgb.size) > limits.working_side:
        rgb.thumbnail(
            (limits.working_side, limits.working_side),
            PillowImage.Resampling.BILINEAR,
            reducing_gap=_REDUCING_GAP,
        )
    # Turned when it is small: it takes a second copy.
    lying = rgb.width > rgb.height
    ImageOps.exif_transpose(rgb, in_place=True)
    turned = lying != (rgb.width > rgb.height)
    width, height = full_size[::-1] if turned else full_size
    pixels = np.asarray(rgb)
    reduced = _half(pixels) if min(rgb.size) >= _REDUCED_FROM else pixels
    return DecodedPhoto(pixels, reduced, width, height)


def _half(pixels: Image) -> Image:
    """Every four pixels averaged."""
    rows, columns = (side // 2 for side in pixels.shape[:2])
    even = pixels[: 2 * rows, : 2 * columns]
    return np.asarray(cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def _to_rgb(picture: PillowImage.Image, working_side: int) -> PillowImage.Image:
    """The picture in RGB, with the same metadata; reduced where that is far too large.

    Strip by strip: what stands between one mode and the other takes several times the memory of
    the picture, and a few hundred kB can be 80 megapixels of one colour.
    """
    if picture.mode == "RGB" and not picture.has_transparency_data:
        return picture
    picture.load()
    factor = max(1, int(max(picture.size) / working_side / _REDUCING_GAP))
    rows = factor * max(1, _STRIP_PIXELS // (factor * picture.width))
    width, height = (math.ceil(side / factor) for side in picture.size)
    rgb = PillowImage.new("RGB", (width, height))
    for top in range(0, picture.height, rows):
        strip = picture.crop((0, top, picture.width, min(top + rows, picture.height)))
        rgb.paste(_flat(strip).reduce(factor), (0, top // factor))
    rgb.info = picture.info
    return rgb


def _flat(picture: PillowImage.Image) -> PillowImage.Image:
    """Any mode to RGB."""
    if picture.mode.startswith("I"):
        # 16-bit grey: keep the high byte, where plain conversion would clip.
        high = np.asarray(picture, dtype=np.uint32) >> 8
        return PillowImage.fromarray(high.clip(0, 255).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        white = PillowImage.new("RGBA", layer.size, "white")
        return PillowImage.alpha_composite(white, layer).convert("RGB")
    return picture.convert("RGB")


def encode_jpeg(image: Image, quality: int = 90) -> bytes:
    """JPEG of an RGB image."""
    buffer = io.BytesIO()
    PillowImage.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a network wants its input. Stored in the bundle as "preprocessing".

    Attributes:
        height: Input rows. Both sides are resized: the whole picture stays, squashed.
        width: Input columns.
        channels: Order in which the network takes the colours.
        mean: Subtracted from each channel, in the network's order, 0..255.
        std: Divides each channel, in the network's order, 0..255.
        tone: "linear" takes the values as they are, "adapted" as :func:`adapt_tone` says.
        shoulder: How far above the median adapted values may be, in medians.
        smoothing: Standard deviation of the Gaussian that the input is smoothed with, pixels; 0
            leaves it sharp. What compression does to a photo is finer than what tells faces apart.
        colour_smoothing: The same for colours only, of adapted values: see :func:`smooth_colours`.
    """

    height: int = 224
    width: int = 224
    channels: Literal["RGB", "BGR"] = "RGB"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    tone: Literal["linear", "adapted"] = "linear"
    shoulder: float = 1.2
    smoothing: float = 0.0
    colour_smoothing: float = 0.0

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> Preprocessing:
        """Reads what :meth:`to_manifest` wrote.

        Raises:
            BundleError: A key is missing, unknown or of the wrong kind.
        """
        try:
            spec = cls(
                **{**manifest, "mean": tuple(manifest["mean"]), "std": tuple(manifest["std"])}
            )
            sensible = min(spec.smoothing, spec.colour_smoothing) >= 0 and spec.shoulder > 0
        except (KeyError, TypeError) as error:
            raise BundleError(f"the preprocessing in the bundle does not fit: {error}") from error
        known = spec.channels in {"RGB", "BGR"} and spec.tone in {"linear", "adapted"}
        if not known or not sensible or len(spec.mean) != 3 or len(spec.std) != 3:
            raise BundleError("the preprocessing in the bundle does not fit")
        return spec

    def to_manifest(self) -> dict[str, Any]:
        """For bundle.json."""
        return asdict(self)


def preprocess(image: Image, spec: Preprocessing) -> FloatArray:
    """Makes the network's input of a photo.

    Args:
        image: RGB uint8, shape (height, width, 3), any size.
        spec: What the network wants.

    Returns:
        Float32, shape (3, spec.height, spec.width), contiguous.
    """
    if image.shape[:2] != (spec.height, spec.width):
        # Pillow's bilinear filter widens with the scale, so shrinking does not alias.
        picture = PillowImage.fromarray(image).resize(
            (spec.width, spec.height), PillowImage.Resampling.BILINEAR, reducing_gap=3.0
        )
        image = np.asarray(picture)
    if spec.smoothing:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), spec.smoothing), np.uint8)
    values = adapt_tone(image, spec.shoulder) if spec.tone == "adapted" else image
    if spec.colour_smoothing:
        values = smooth_colours(values.astype(np.float32, copy=False), spec.colour_smoothing)
    order = (2, 1, 0) if spec.channels == "BGR" else (0, 1, 2)
    result = np.empty((3, spec.height, spec.width), np.float32)
    # Channel by channel is several times faster than all at once and a transposition.
    for plane, channel in enumerate(order):
        mean, std = np.float32(spec.mean[plane]), np.float32(spec.std[plane])
        np.subtract(values[:, :, channel], mean, out=result[plane], dtype=np.float32)
        result[plane] /= std
    return result


def adapt_tone(image: Image, shoulder: float) -> FloatArray:
    """Takes the light out of a face that fills the picture.

    The values are scaled so that their median is always the same; above it they level off, as
    film does in its shoulder. A darker photo gives the same values; and of one so bright that
    it is burnt out, they differ where it is burnt, but not by much.

    Args:
        image: RGB uint8, shape (height, width, 3). The median is of the luminance away from
            the edges, where hair and background are.
        shoulder: How far above the median the values may be, in medians. The less, the less it
            matters where the photo is burnt out, and the less is seen of what is bright.

    Returns:
        Float32, the same shape; the median is 115, nothing is above ``115 * (1 + shoulder)``.
    """
    rows, columns = image.shape[:2]
    middle = image[rows // 5 : rows - rows // 5, columns // 5 : columns - columns // 5]
    # Every other pixel says as much.
    luminance = middle[::2, ::2] @ _LUMINANCE
    median = max(float(np.median(luminance)), _DARKEST_MEDIAN)
    light = np.arange(256, dtype=np.float32) / np.float32(median)
    above = np.maximum(light - 1, 0)
    levelled = shoulder * (1 - np.exp(-above / shoulder))
    curve: FloatArray = (_MEDIAN * (np.minimum(light, 1) + levelled)).astype(np.float32)
    return np.asarray(cv2.LUT(image, curve), np.float32)


def smooth_colours(values: FloatArray, deviation: float) -> FloatArray:
    """Smooths colours and leaves the luminance as sharp as it is.

    JPEG keeps a quarter of the colours, and those coarsely: in small faces they come in blocks.

    Args:
        values: RGB, shape (height, width, 3).
        deviation: Of the Gaussian, pixels.

    Returns:
        Float32, the same shape.
    """
    blurred = cv2.GaussianBlur(values, (0, 0), deviation)
    # The luminance that this took away, given back to each channel.
    lost = cv2.transform(values - blurred, np.tile(_LUMINANCE, (3, 1)))
    return np.asarray(blurred + lost, np.float32)
