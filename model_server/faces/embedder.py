"""Turns faces into unit vectors whose cosine says how alike they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model_server.analysis import Detection, FloatArray, Image
from model_server.bundle import Bundle
from model_server.engines import Engine
from model_server.errors import BundleError
from model_server.faces.alignment import align_face
from model_server.imaging import Preprocessing, preprocess

__all__ = ["FaceEmbedder"]


class FaceEmbedder:
    """The embedder of a bundle. Thread-safe.

    Args:
        bundle: Of kind "face_embedder".
        engine: Runs its network.

    Attributes:
        version: Stored with every embedding: those of two versions cannot be compared.
        dimension: D.
    """

    KIND = "face_embedder"

    def __init__(self, bundle: Bundle, engine: Engine) -> None:
        self.version = bundle.version
        self.dimension = int(bundle.read("dimension"))
        self._preprocessing = Preprocessing.from_manifest(bundle.read("preprocessing"))
        template = np.array(bundle.read("template"), np.float32)
        if template.shape != (5, 2):
            raise BundleError(f'{bundle.name}: "template" is not five points')
        scales = [float(scale) for scale in bundle.read("scales")]
        if not scales:
            raise BundleError(f'{bundle.name}: "scales" names none')
        self._templates = [_scaled(template, scale) for scale in scales]
        self._flip = bool(bundle.read("flip"))
        self._session = engine.load(bundle.file("network.xml"))
        [self._input] = self._session.input_shapes

    def align(self, image: Image, landmarks: FloatArray) -> Image:
        """The face as the network wants to see it, at each scale.

        Args:
            image: RGB uint8.
            landmarks: Shape (5, 2), pixels of the image.

        Returns:
            RGB uint8, shape (scales, height, width, 3).
        """
        size = (self._preprocessing.width, self._preprocessing.height)
        return np.stack(
            [align_face(image, landmarks, template, size) for template in self._templates]
        )

    def embed(self, image: Image, detections: Sequence[Detection]) -> FloatArray:
        """Embeds the faces of an image.

        Returns:
            Unit rows, shape (N, D).
        """
        return self.embed_aligned([self.align(image, face.landmarks) for face in detections])

    def embed_aligned(self, faces: Sequence[Image]) -> FloatArray:
        """Embeds faces that :meth:`align` made.

        Returns:
            Unit rows, shape (N, D).
        """
        vectors = np.zeros((len(faces), self.dimension), np.float32)
        for row, views in enumerate(faces):
            vectors[row] = self._embed_one(views)
        return vectors

    def _embed_one(self, views: Image) -> FloatArray:
        inputs = np.stack([preprocess(view, self._preprocessing) for view in views])
        if self._flip:
            inputs = np.concatenate([inputs, inputs[..., ::-1]])
        # All views together: each weight is read once for them.
        [outputs] = self._session.run({self._input: inputs}).values()
        return _unit(np.sum([_unit(output) for output in outputs], axis=0))


def _scaled(template: FloatArray, scale: float) -> FloatArray:
    """The template about its centre: above 1 the face is larger, and less is seen around it."""
    return np.asarray((template - 0.5) * scale + 0.5, np.float32)


def _unit(vector: FloatArray) -> FloatArray:
    return vector / np.float32(max(float(np.linalg.norm(vector)), 1e-12))
