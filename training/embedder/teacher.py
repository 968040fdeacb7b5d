"""The reference embedder, used as teacher: face-reidentification-retail-0095 (Apache-2.0).

Its files are read where they lie and are no part of what we ship.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino as ov

from model_server.analysis import FloatArray, Image
from model_server.faces.alignment import similarity_transform, warp
from training.embedder.crops import LANDMARKS, FaceSet

__all__ = ["DIMENSION", "Reference", "write_targets"]

DIMENSION = 256

_SIDE = 128
_TEMPLATE = np.array(
    [
        (0.31556875, 0.46157411),
        (0.68262292, 0.46157411),
        (0.50026250, 0.64050536),
        (0.34947187, 0.82469196),
        (0.65343646, 0.82469196),
    ],
    np.float32,
)


class Reference:
    """Runs the reference on photos or on our own crops.

    Args:
        network: Its ONNX file.
        threads: Cores to use.
    """

    def __init__(self, network: Path, threads: int = 1) -> None:
        model = ov.Core().read_model(network)
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            # Else every process would take the same core.
            "ENABLE_CPU_PINNING": False,
        }
        self._compiled = ov.Core().compile_model(model, "CPU", settings)

    def align(self, image: Image, landmarks: FloatArray) -> Image:
        """The face as the reference wants it, shape (128, 128, 3)."""
        return warp(image, similarity_transform(landmarks, _TEMPLATE * _SIDE), (_SIDE, _SIDE))

    def align_crop(self, crop: Image) -> Image:
        """The same out of a crop of :mod:`training.embedder.crops`."""
        return self.align(crop, LANDMARKS)

    def embed(self, faces: Image) -> FloatArray:
        """Unit rows, shape (N, 256), of aligned faces, shape (N, 128, 128, 3)."""
        tensor = faces[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
        vectors = np.asarray(self._compiled({0: np.ascontiguousarray(tensor)})[0])
        rows = vectors.reshape(len(faces), DIMENSION)
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(unit, np.float32)


def write_targets(faces: FaceSet, reference: Reference, file: Path) -> None:
    """Embeds every face and its mirror image; zeros where no face was found."""
    plain, flip = (np.zeros((len(faces.names), DIMENSION), np.float32) for _ in range(2))
    for row in np.flatnonzero(faces.found):
        face = reference.align_crop(faces.crops[row])
        plain[row], flip[row] = reference.embed(np.stack([face, face[:, ::-1]]))
    np.savez(file, plain=plain, flip=flip)
