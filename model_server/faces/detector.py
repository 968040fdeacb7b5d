"""Finds faces of all sizes: BlazeFace at two scales, the face mesh as judge."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from model_server.analysis import BoundingBox, Detection, FloatArray, Image
from model_server.bundle import Bundle
from model_server.engines import Engine
from model_server.faces.blazeface import CELL, BlazeFace, Candidates
from model_server.faces.mesh import FaceMesh

__all__ = ["FaceDetector", "suppress"]

_SIDE = 256
"""Of the pictures that BlazeFace was trained with, pixels."""

_FINE = 2.86
"""Pixels of a large photo per pixel of the finer view: faces of about 28 px are found."""

_COARSE_SIDE = 128
"""Pixels of the coarser view's longer side, in which large faces are found: those that are
half as wide as the photo or more look unlike any that BlazeFace was trained with in the
finer one. Both find what lies between a tenth of the photo and a third."""

_COARSE_FACE_PX = 16
"""Smaller ones in the coarser view are left to the finer: two neighbours may look like one."""

_MAX_CANDIDATES = 64
"""The mesh looks at no more, best first: a bound on the time that a picture can take."""

_BORDERED = 1.6
"""Side of the image with its border, in sides of the image."""

_MAX_OVERLAP = 0.35
_MIN_SIDE_PX = 16


class FaceDetector:
    """Finds faces and their five landmarks. Thread-safe.

    BlazeFace looks at the photo twice: once finely for small faces, once coarsely for
    those that fill it. It is quick to suspect a face; the mesh then measures each
    candidate and says whether it is one, which makes boxes and landmarks exact.

    Args:
        bundle: Of kind "face_detector".
        engine: Runs its networks.
    """

    KIND = "face_detector"

    def __init__(self, bundle: Bundle, engine: Engine) -> None:
        self.version = bundle.version
        threshold = float(bundle.read("candidate_threshold"))
        # Loaded twice: inputs that change their shape with every call take longer.
        self._fine, self._coarse = (
            BlazeFace(engine.load(bundle.file("blazeface.xml")), threshold) for _ in range(2)
        )
        self._mesh = FaceMesh(engine.load(bundle.file("mesh.tflite")))
        self._min_presence = float(bundle.read("presence_threshold"))

    def detect(self, image: Image, reduced: Image | None = None) -> list[Detection]:
        """The faces of an image.

        Args:
            image: RGB uint8, shape (height, width, 3).
            reduced: The same with fewer pixels, where the caller has it: to find faces
                few are enough, and shrinking is then quicker. They are measured in ``image``.

        Returns:
            Largest first; boxes may reach beyond the image.
        """
        height, width = image.shape[:2]
        longest = max(width, height)
        scale = _fine_scale(width, height)
        if reduced is None or reduced.shape[1] * scale < width:
            reduced = image
        view = _resize(reduced, width / scale, height / scale)
        candidates = self._fine.look(view, scale)
        if max(view.shape) > _SIDE:
            scale = longest / _COARSE_SIDE
            view = _resize(view, width / scale, height / scale)
            large = self._coarse.look(view, scale).wider_than(_COARSE_FACE_PX * scale)
            candidates = Candidates.joined([candidates, large])
        faces = self._judge(image, candidates)
        if not faces:
            # Where a face is larger than the picture, it is seen only from farther away.
            faces = self._judge(image, self._look_from_afar(view, longest))
        detections = [self._look_again(image, face) for face in _distinct(faces)]
        return sorted(detections, key=lambda face: face.box.area, reverse=True)

    def _judge(self, image: Image, candidates: Candidates) -> list[_Face]:
        """The candidates that are faces."""
        keep = suppress(candidates.boxes_xyxy, candidates.scores, _MAX_OVERLAP)
        faces: list[_Face] = []
        for index in keep[:_MAX_CANDIDATES]:
            face = self._measure(image, candidates, index)
            if face is not None:
                faces.append(face)
        return faces

    def _look_from_afar(self, view: Image, longest: int) -> Candidates:
        """What BlazeFace suspects in the whole image with a wide black border around it.

        Args:
            view: The image or a reduced one.
            longest: The image's longer side, pixels.
        """
        scale = longest * _BORDERED / _COARSE_SIDE
        shrink = longest / max(view.shape) / scale
        view = _resize(view, view.shape[1] * shrink, view.shape[0] * shrink)
        top, left = ((_COARSE_SIDE - side) // 2 for side in view.shape[:2])
        view = np.pad(view, ((top, top), (left, left), (0, 0)))
        return self._coarse.look(view, scale, (-left * scale, -top * scale))

    def _measure(self, image: Image, candidates: Candidates, index: int) -> _Face | None:
        """A candidate, or None where the mesh sees no face."""
        points, presence = self._mesh.measure(
            image, candidates.boxes_xyxy[index], candidates.eyes[index]
        )
        if presence < self._min_presence:
            return None
        box = np.concatenate([points[:, :2].min(0), points[:, :2].max(0)])
        if min(box[2] - box[0], box[3] - box[1]) < _MIN_SIDE_PX:
            return None
        return _Face(box, points, float(np.sqrt(presence * candidates.scores[index])))

    def _look_again(self, image: Image, face: _Face) -> Detection:
        """The face with exact landmarks."""
        box_xyxy, landmarks = self._mesh.look_again(image, face.points)
        left, top, right, bottom = box_xyxy.tolist()
        box = BoundingBox(left, top, right - left, bottom - top)
        return Detection(box, landmarks, face.score)


@dataclass(frozen=True, slots=True)
class _Face:
    """A candidate that the mesh confirmed: box (4,), points (468, 3), score."""

    box_xyxy: FloatArray
    points: FloatArray
    score: float


def _distinct(faces: list[_Face]) -> list[_Face]:
    """Each face once: two candidates may settle on the same one."""
    if not faces:
        return []
    boxes = np.stack([face.box_xyxy for face in faces])
    scores = np.array([face.score for face in faces], np.float32)
    return [faces[index] for index in suppress(boxes, scores, _MAX_OVERLAP)]


def _resize(image: Image, width: float, height: float) -> Image:
    size = (max(round(width), 1), max(round(height), 1))
    # Means of pixels keep small faces sharper than wider filters, and are quicker. Up to half
    # the size interpolation sees every pixel as well, and is quicker still.
    means = size[0] * 2 < image.shape[1]
    method = cv2.INTER_AREA if means else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)


def _fine_scale(width: int, height: int) -> float:
    """Pixels of the photo per pixel of the finer view, which fills BlazeFace's cells."""
    wanted = min(max(width, height) / _SIDE, _FINE)
    # The small number is for sides that would be whole but for the rounding.
    return max(
        side / (CELL * float(np.ceil(side / wanted / CELL - 1e-6))) for side in (width, height)
    )


def suppress(boxes_xyxy: FloatArray, scores: FloatArray, max_overlap: float) -> list[int]:
    """Greedy non-maximum suppression.

    Args:
        boxes_xyxy: Shape (N, 4).
        scores: Shape (N,).
        max_overlap: Of two boxes whose intersection is more than this share of the
            smaller one's area or of their union, the worse goes.

    Returns:
        Indices of those that stay, best first.
    """
    areas = np.prod(np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0), axis=1)
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        corner = np.minimum(boxes_xyxy[best, 2:], boxes_xyxy[rest, 2:])
        size = np.maximum(corner - np.maximum(boxes_xyxy[best, :2], boxes_xyxy[rest, :2]), 0)
        shared = size.prod(1)
        union = areas[best] + areas[rest] - shared
        # A part of a face seen at one scale lies inside the whole one of the other.
        inside = shared / np.maximum(np.minimum(areas[best], areas[rest]), 1e-6)
        same = (shared / np.maximum(union, 1e-6) > max_overlap) | (inside > 0.7)
        order = rest[~same]
    return kept
