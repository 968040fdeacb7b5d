"""What the pipeline needs of its parts, whoever plays them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from model_server.analysis import Caption, Detection, FloatArray, Image, Match, Similarity

__all__ = ["CaptionModel", "Detector", "Embedder", "Gallery", "Models"]


class Detector(Protocol):
    """Finds faces."""

    version: str

    def detect(self, image: Image, reduced: Image) -> list[Detection]:
        """The faces of an RGB image, largest first; found in the reduced one."""
        ...


class Embedder(Protocol):
    """Turns faces into vectors."""

    version: str

    def embed(self, image: Image, detections: Sequence[Detection]) -> FloatArray:
        """One unit vector a face, shape (N, D)."""
        ...


class CaptionModel(Protocol):
    """Puts images into words."""

    version: str

    def caption(
        self, images: Sequence[Image], cancelled: Callable[[], bool] = ...
    ) -> list[Caption]:
        """One caption an image; raises CancelledError once ``cancelled`` is true."""
        ...


class Gallery(Protocol):
    """Knows the celebrities."""

    def match(
        self, embeddings: FloatArray, *, max_matches: int, required_tags: Sequence[str] = ()
    ) -> list[tuple[Match, ...]]:
        """The best matches of each embedding, shape (N, D)."""
        ...

    def compare(self, first: FloatArray, second: FloatArray) -> Similarity:
        """How alike two embeddings are, shape (D,) each."""
        ...


@dataclass(frozen=True, slots=True)
class Models:
    """The networks that the pipeline runs."""

    detector: Detector
    embedder: Embedder
    photos: CaptionModel
    faces: CaptionModel
