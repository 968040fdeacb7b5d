"""Warping faces so that eyes, nose and mouth lie where a network expects them.

The similarity transform that maps five landmarks onto a template is that of
Umeyama, "Least-Squares Estimation of Transformation Parameters Between Two Point
Patterns", 1991.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage

from model_server.analysis import BoundingBox, Detection, FloatArray, Image

__all__ = [
    "PORTRAIT_SIDE",
    "align_face",
    "align_portrait",
    "crop_face",
    "similarity_transform",
    "warp",
]

PORTRAIT_SIDE = 224
"""Pixels of a portrait, as the captioner of faces sees it: nothing is resized on the way."""

PORTRAIT_TEMPLATE = np.array(
    [[0.385, 0.470], [0.615, 0.470], [0.500, 0.590], [0.405, 0.695], [0.595, 0.695]], np.float32
)
"""Where the landmarks lie in a portrait of side 1: hair, ears, chin and beard are inside."""

_FILL = (127, 127, 127)
"""What lies beyond the photo's edge."""


def similarity_transform(source: FloatArray, target: FloatArray) -> npt.NDArray[np.float64]:
    """The rotation, one scale and shift that take ``source`` to ``target`` most closely.

    Args:
        source: Points, shape (N, 2).
        target: Points, shape (N, 2).

    Returns:
        Shape (2, 3): ``target ≈ source @ m[:, :2].T + m[:, 2]``.
    """
    first, second = source.astype(np.float64), target.astype(np.float64)
    first_mean, second_mean = first.mean(0), second.mean(0)
    first, second = first - first_mean, second - second_mean
    u, singular, vt = np.linalg.svd(second.T @ first / len(first))
    sign = np.array([1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = (singular * sign).sum() / max(first.var(0).sum(), 1e-12)
    matrix = np.empty((2, 3))
    matrix[:, :2] = scale * rotation
    matrix[:, 2] = second_mean - matrix[:, :2] @ first_mean
    return matrix


def warp(image: Image, matrix: npt.NDArray[np.float64], size: tuple[int, int]) -> Image:
    """Warps an image.

    Args:
        image: RGB uint8.
        matrix: Shape (2, 3), from the image's pixels to the result's.
        size: Columns and rows of the result.

    Returns:
        RGB uint8, shape (rows, columns, 3).
    """
    inverse = np.linalg.inv(np.vstack([matrix, [0.0, 0.0, 1.0]]))[:2]
    # Sampling alone would skip pixels where the face is larger than the result.
    shrink = int(np.sqrt(abs(np.linalg.det(inverse[:, :2]))))
    if shrink > 1:
        image = _shrunk(image, inverse, size, shrink)
    # Ours are coordinates of a plane, OpenCV's those of pixels' centres.
    inverse[:, 2] += inverse[:, :2].sum(1) / 2 - 0.5
    return np.asarray(
        cv2.warpAffine(
            image,
            inverse,
            size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=_FILL,
        ),
        np.uint8,
    )


def _shrunk(
    image: Image, inverse: npt.NDArray[np.float64], size: tuple[int, int], shrink: int
) -> Image:
    """The part of an image that a warp looks at, every so many pixels averaged.

    Args:
        image: RGB uint8.
        inverse: Shape (2, 3), from the result's pixels to the image's; afterwards to those of
            the part.
        size: Columns and rows of the result.
        shrink: Pixels along a side that become one.
    """
    corners = np.array([[0, 0], [size[0], 0], [0, size[1]], size])
    places = corners @ inverse[:, :2].T + inverse[:, 2]
    last = np.array(image.shape[1::-1])
    left, top = np.clip(np.floor(places.min(0)).astype(int) - shrink, 0, last - 1)
    right, bottom = np.clip(np.ceil(places.max(0)).astype(int) + shrink, (left + 1, top + 1), last)
    part = image[top:bottom, left:right]
    inverse[:, 2] -= (left, top)
    inverse /= shrink
    columns, rows = (max(side // shrink, 1) for side in (right - left, bottom - top))
    # A whole number of pixels for each: the few beyond are left out.
    part = part[: rows * shrink, : columns * shrink]
    return np.asarray(cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def align_face(
    image: Image, landmarks: FloatArray, template: FloatArray, size: tuple[int, int]
) -> Image:
    """The face warped onto a template.

    Args:
        image: RGB uint8.
        landmarks: Shape (5, 2), pixels of the image.
        template: Shape (5, 2), where they shall lie, 0..1 of the result.
        size: Columns and rows of the result.

    Returns:
        RGB uint8, shape (rows, columns, 3); grey beyond the photo's edge.
    """
    target = template * np.array(size, np.float32)
    return warp(image, similarity_transform(landmarks, target), size)


def align_portrait(image: Image, detection: Detection, size: int = PORTRAIT_SIDE) -> Image:
    """The upright head with hair and chin, for the captioner of faces.

    Returns:
        RGB uint8, shape (size, size, 3).
    """
    return align_face(image, detection.landmarks, PORTRAIT_TEMPLATE, (size, size))


def crop_face(image: Image, box: BoundingBox, margin: float, max_side: int) -> Image:
    """The square around a face, to look at.

    Args:
        image: RGB uint8.
        box: Of the face, pixels.
        margin: Added on each side, as a share of the box's longer side.
        max_side: Larger crops are scaled down to this many pixels.

    Returns:
        RGB uint8; smaller than square where the photo ends.
    """
    height, width = image.shape[:2]
    half = max(box.width, box.height) * (0.5 + margin)
    # Hair takes more room above than the neck below.
    x, y = box.x + box.width / 2, box.y + box.height / 2 - margin * 0.2 * half
    left, right = max(round(x - half), 0), min(round(x + half), width)
    top, bottom = max(round(y - half), 0), min(round(y + half), height)
    crop = image[top : max(bottom, top + 1), left : max(right, left + 1)]
    picture = PillowImage.fromarray(np.ascontiguousarray(crop))
    picture.thumbnail((max_side, max_side), PillowImage.Resampling.LANCZOS)
    return np.asarray(picture)
