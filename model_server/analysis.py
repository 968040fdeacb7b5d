"""What the server knows about a photo: plain values, free of gRPC and of engines.

Coordinates are pixels of the upright photo, x to the right and y down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from model_server.gallery.celebrity import Celebrity

__all__ = [
    "Analysis",
    "Attribute",
    "BoundingBox",
    "Caption",
    "Comparison",
    "Detection",
    "FaceAnalysis",
    "FloatArray",
    "Image",
    "Match",
    "Similarity",
]

Image = npt.NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class BoundingBox:
    """A rectangle in pixels; may reach beyond the photo until it is clipped."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """Square pixels."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Detection:
    """A face that the detector found.

    Attributes:
        box: Where it is.
        landmarks: Shape (5, 2), pixels: left eye, right eye, nose tip, left and
            right mouth corner, left and right as seen in the picture.
        score: How sure the detector is, 0..1.
    """

    box: BoundingBox
    landmarks: FloatArray
    score: float


@dataclass(frozen=True, slots=True)
class Caption:
    """Words that a captioner wrote.

    Attributes:
        text: Lower case, words separated by one space, commas attached.
        log_probability: Mean over the tokens, natural logarithm, at most 0.
        nsfw_score: 0..1 where the captioner's encoder tells, else None.
    """

    text: str
    log_probability: float
    nsfw_score: float | None = None


@dataclass(frozen=True, slots=True)
class Attribute:
    """One thing that a face description says, such as hair_color = brown."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Similarity:
    """How alike two faces are.

    Attributes:
        cosine: Of the two embeddings, -1..1.
        likeness: 0..100; 50 is the median best match of people who are not in
            the gallery.
        same_person_probability: Calibrated, 0..1.
    """

    cosine: float
    likeness: float
    same_person_probability: float


@dataclass(frozen=True, slots=True)
class Match:
    """A celebrity that a face resembles."""

    celebrity: Celebrity
    similarity: Similarity


@dataclass(frozen=True, slots=True)
class FaceAnalysis:
    """All that is known about one face.

    Attributes:
        detection: Where it is.
        quality: 0 (tiny, blurred or turned away) to 1.
        caption: The description; None where none was asked for.
        attributes: The description, taken apart.
        matches: Best first.
        crop: JPEG of the face; empty where none was asked for.
    """

    detection: Detection
    quality: float
    caption: Caption | None = None
    attributes: tuple[Attribute, ...] = ()
    matches: tuple[Match, ...] = ()
    crop: bytes = b""


@dataclass(frozen=True, slots=True)
class Analysis:
    """All that is known about one photo.

    Attributes:
        width: Of the upright photo, pixels.
        height: Of the upright photo, pixels.
        caption: Of the whole photo; None where none was asked for.
        faces: Largest first.
        timings_ms: Milliseconds by stage.
        model_versions: Version of each model that was used, by its part.
        additional_faces: The one person's face in each photo after the first, where
            several were looked at together.
    """

    width: int
    height: int
    caption: Caption | None = None
    faces: tuple[FaceAnalysis, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    model_versions: Mapping[str, str] = field(default_factory=dict)
    additional_faces: tuple[FaceAnalysis, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """How alike the largest faces of two photos are."""

    similarity: Similarity
    first: FaceAnalysis
    second: FaceAnalysis
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    model_versions: Mapping[str, str] = field(default_factory=dict)
