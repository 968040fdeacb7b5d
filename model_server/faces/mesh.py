"""MediaPipe's face mesh: 468 points of a face, and whether there is one.

Y. Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on
Mobile GPUs", 2019.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from model_server.analysis import FloatArray, Image
from model_server.engines import Session
from model_server.faces.alignment import similarity_transform, warp

__all__ = ["FaceMesh", "five_landmarks"]

Matrix = npt.NDArray[np.float64]
Vector = npt.NDArray[np.floating[Any]]

_MARGIN = 1.5
"""Side of the square that the network wants to see, in sides of BlazeFace's box."""

# Points of the mesh whose mean is a landmark, left and right as seen in the picture.
_LEFT_EYE = (33, 133, 159, 145)
_RIGHT_EYE = (362, 263, 386, 374)
_NOSE_TIP = (4, 1)
_LEFT_MOUTH = (61,)
_RIGHT_MOUTH = (291,)

_MIRRORED = [1, 0, 2, 4, 3]
"""The five landmarks in the order in which a mirror image shows them."""


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
        width, height = box_xyxy[2:] - box_xyxy[:2]
        side = _MARGIN * float(max(width, height))
        matrix = self._crop((box_xyxy[:2] + box_xyxy[2:]) / 2, eyes[1] - eyes[0], side)
        points, presence = self._run(warp(image, matrix, (self._side, self._side)))
        return _back(points, matrix), presence

    def look_again(self, image: Image, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Box and landmarks of a face that was measured, more exactly.

        The network says something else of a face that lies elsewhere in its square, and of its
        mirror image. So the square is laid around what was measured, and the answers to both
        mirror images are averaged: where the landmarks lie then depends much less on how the photo
        was cut, turned or compressed, and hardly on whether it was mirrored.

        Args:
            image: RGB uint8.
            points: What :meth:`measure` said, shape (468, 3).

        Returns:
            The box, left, top, right and bottom, shape (4,); the landmarks as of
            :func:`five_landmarks`; both in pixels of the image.
        """
        left_eye, right_eye = five_landmarks(points)[:2]
        across = right_eye - left_eye
        across = across / max(float(np.hypot(*across)), 1e-6)
        upright = np.stack([across, (-across[1], across[0])])
        turned = points[:, :2] @ upright.T
        low, high = turned.min(0), turned.max(0)
        matrix = self._crop((low + high) / 2 @ upright, across, _MARGIN * float(max(high - low)))
        crop = warp(image, matrix, (self._side, self._side))
        plain, _ = self._run(crop)
        mirrored, _ = self._run(crop[:, ::-1])
        mirrored[:, 0] = self._side - mirrored[:, 0]
        sides = (_back(plain, matrix), _back(mirrored, matrix))
        boxes = [np.concatenate([side[:, :2].min(0), side[:, :2].max(0)]) for side in sides]
        # What is on the left of a mirror image is on the right of the face.
        landmarks = (five_landmarks(sides[0]) + five_landmarks(sides[1])[_MIRRORED]) / 2
        return np.mean(boxes, axis=0), landmarks.astype(np.float32)

    def _crop(self, centre: Vector, across: Vector, side: float) -> Matrix:
        """From the image to the network's square: its centre, its upper edge's direction, its side.

        Shape (2, 3).
        """
        across = across / max(float(np.hypot(*across)), 1e-6)
        down = np.array([-across[1], across[0]])
        half = side / 2
        source = np.stack(
            [centre - half * (across + down), centre + half * (across - down), centre]
        )
        target = np.array([[0, 0], [self._side, 0], [self._side / 2] * 2], np.float32)
        return similarity_transform(source.astype(np.float32), target)

    def _run(self, crop: Image) -> tuple[FloatArray, float]:
        """The points in pixels of the crop, shape (468, 3), and the presence of a face, 0..1."""
        outputs = self._session.run({self._input: crop[None] / np.float32(255)})
        values = list(outputs.values())
        points = next(value for value in values if value.size > 1).reshape(-1, 3)
        logit = next(value for value in values if value.size == 1).ravel()[0]
        return points, float(1 / (1 + np.exp(-np.clip(logit, -80, 80))))


def _back(points: FloatArray, matrix: Matrix) -> FloatArray:
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
