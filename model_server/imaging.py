"""Photos into arrays: THE preprocessing that serving and training share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image as PillowImage

from model_server.analysis import FloatArray, Image
from model_server.errors import BundleError

__all__ = ["Preprocessing", "preprocess"]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a network wants its input. Stored in the bundle as "preprocessing".

    Attributes:
        height: Input rows. Both sides are resized: the whole picture stays, squashed.
        width: Input columns.
        channels: Order in which the network takes the colours.
        mean: Subtracted from each channel, in the network's order, 0..255.
        std: Divides each channel, in the network's order, 0..255.
    """

    height: int = 224
    width: int = 224
    channels: Literal["RGB", "BGR"] = "RGB"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

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
        except (KeyError, TypeError) as error:
            raise BundleError(f"the preprocessing in the bundle does not fit: {error}") from error
        if spec.channels not in {"RGB", "BGR"} or len(spec.mean) != 3 or len(spec.std) != 3:
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
    if spec.channels == "BGR":
        image = image[:, :, ::-1]
    pixels = (image.astype(np.float32) - np.float32(spec.mean)) / np.float32(spec.std)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))
