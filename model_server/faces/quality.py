"""How well a face can be compared: its size, sharpness and pose."""

from __future__ import annotations

import numpy as np

from model_server.analysis import Detection, Image
from model_server.faces.alignment import PORTRAIT_TEMPLATE, align_face

__all__ = ["face_quality"]

_SIDE = 96
_GOOD_SIDE_PX = 90.0
_GOOD_SHARPNESS = 200.0


def face_quality(image: Image, detection: Detection) -> float:
    """0 (tiny, blurred or turned away) to 1.

    The product of three parts, each 0..1: eye distance against what the embedder's
    input resolves, variance of the Laplacian (Pech-Pacheco et al., 2000), and how
    centred the nose is between the eyes.
    """
    size = min(max(detection.box.width, detection.box.height) / _GOOD_SIDE_PX, 1.0)
    return float(size * _sharpness(image, detection) * _frontality(detection))


def _sharpness(image: Image, detection: Detection) -> float:
    aligned = align_face(image, detection.landmarks, PORTRAIT_TEMPLATE, (_SIDE, _SIDE))
    grey = aligned[24:76, 24:72].mean(2)
    laplacian = (
        grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    )
    return float(min(np.sqrt(laplacian.var() / _GOOD_SHARPNESS), 1.0))


def _frontality(detection: Detection) -> float:
    left_eye, right_eye, nose = detection.landmarks[:3].astype(np.float64)
    across = right_eye - left_eye
    distance = float(np.hypot(*across))
    if distance < 1.0:
        return 0.0
    # Where the nose falls between the eyes: 0.5 from the front, 0 or 1 from the side.
    place = float((nose - left_eye) @ across) / distance**2
    return float(np.clip(1.25 - 2.0 * abs(place - 0.5), 0.0, 1.0))
