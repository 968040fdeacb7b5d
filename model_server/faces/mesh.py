"""MediaPipe's face mesh: 468 points of a face, and whether there is one.

Y. Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on
Mobile GPUs", 2019.
"""

from __future__ import annotations

import numpy as np

from model_server.analysis import FloatArray, Image
from model_server.engines import Session
from model_server.faces.alignment import similarity_transform, warp

__all__ = ["FaceMesh", "five_landmarks"]

_MARGIN = 1.5
"""Side of the square that the network wants to see, in sides of BlazeFace's box."""

# Points of the mesh whose mean is a landmark, left and right as seen in the picture.
_LEFT_EYE = (33, 133, 159, 145)
_RIGHT_EYE = (362, 263, 386, 374)
_NOSE_TIP = (4, 1)
_LEFT_MOUTH = (61,)
_RIGHT_MOUTH = (291,)


class FaceMesh:
    """Measures faces.

    Args:
        session: Input (1, side, side, 3) in 0..1; outputs 1404 numbers and one logit.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        [(self._input, shape)] = session.input_shapes.items()
        self._side = shape[1]

    def measure(
        self, image: Image, box_xyxy: FloatArray, eyes: FloatArray
    ) -> tuple[FloatArray, float]:
        """Finds the points of one face.

        Args:
            image: RGB uint8.
            box_xyxy: Shape (4,), pixels.
            eyes: Shape (2, 2), pixels, the left one in the picture first; for the roll.

        Returns:
            The points, shape (468, 3), in pixels of the image, depth at the same scale
            and smaller towards the camera; and how sure it is that there is a face, 0..1.
        """
        half = _MARGIN * max(box_xyxy[2] - box_xyxy[0], box_xyxy[3] - box_xyxy[1]) / 2
        centre = (box_xyxy[:2] + box_xyxy[2:]) / 2
        across = eyes[1] - eyes[0]
        across = across / max(float(np.hypot(*across)), 1e-6)
        down = np.array([-across[1], across[0]])
        source = np.stack(
            [centre - half * (across + down), centre + half * (across - down), centre]
        )
        target = np.array([[0, 0], [self._side, 0], [self._side / 2] * 2], np.float32)
        matrix = similarity_transform(source.astype(np.float32), target)
        crop = warp(image, matrix, (self._side, self._side))
        outputs = self._session.run({self._input: crop[None] / np.float32(255)})
        values = list(outputs.values())
        points = next(value for value in values if value.size > 1).reshape(-1, 3)
        logit = next(value for value in values if value.size == 1).ravel()[0]
        return _back(points, matrix), float(1 / (1 + np.exp(-np.clip(logit, -80, 80))))


def _back(points: FloatArray, matrix: np.ndarray) -> FloatArray:
    inverse = np.linalg.inv(matrix[:, :2])
    result = np.empty_like(points)
    result[:, :2] = (points[:, :2] - matrix[:, 2]) @ inverse.T
    result[:, 2] = points[:, 2] * np.sqrt(abs(np.linalg.det(inverse)))
    return result


def five_landmarks(points: FloatArray) -> FloatArray:
    """Eyes, nose tip and mouth corners out of the mesh.

    Args:
        points: Shape (468, 3).

    Returns:
        Shape (5, 2): left eye, right eye, nose tip, left and right mouth corner, as
        seen in the picture.
    """
    groups = (_LEFT_EYE, _RIGHT_EYE, _NOSE_TIP, _LEFT_MOUTH, _RIGHT_MOUTH)
    return np.stack([points[list(group), :2].mean(0) for group in groups]).astype(np.float32)
