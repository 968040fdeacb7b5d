"""Finds faces of all sizes: BlazeFace over a pyramid of tiles, the face mesh as judge."""

from __future__ import annotations

import numpy as np
from PIL import Image as PillowImage

from model_server.analysis import BoundingBox, Detection, FloatArray, Image
from model_server.bundle import Bundle
from model_server.engines import Engine
from model_server.faces.blazeface import BlazeFace, Candidates
from model_server.faces.mesh import FaceMesh, five_landmarks

__all__ = ["FaceDetector", "suppress", "tiles"]

_STRIDES = (16, 32, 32, 32)
_OVERLAP = 0.2
"""Share of a tile that its neighbour sees too, so that no face is cut by both."""

_TILE_SIDES_PX = (640, 680, 720)
"""Sides that tiles may have, whichever gives the fewest of them: in the network's 256
pixels, faces of 24 to 32 px are found."""

_MAX_CANDIDATES = 64
"""The mesh looks at no more, best first: a bound on the time that a picture can take."""

_BORDERED = 1.6
"""Side of the image with its border, in sides of the image."""

_MAX_OVERLAP = 0.35
_MIN_SIDE_PX = 16


class FaceDetector:
    """Finds faces and their five landmarks. Thread-safe.

    BlazeFace looks at the whole photo for faces that fill it, and at overlapping tiles
    for those that do not. It is quick to suspect a face; the mesh then measures each
    candidate and says whether it is one, which makes boxes and landmarks exact.

    Args:
        bundle: Of kind "face_detector".
        engine: Runs its networks.
    """

    KIND = "face_detector"

    def __init__(self, bundle: Bundle, engine: Engine) -> None:
        self.version = bundle.version
        self._blazeface = BlazeFace(
            engine.load(bundle.file("blazeface.tflite")),
            _STRIDES,
            threshold=float(bundle.read("candidate_threshold")),
        )
        self._mesh = FaceMesh(engine.load(bundle.file("mesh.tflite")))
        self._min_presence = float(bundle.read("presence_threshold"))

    def detect(self, image: Image) -> list[Detection]:
        """The faces of an image.

        Args:
            image: RGB uint8, shape (height, width, 3).

        Returns:
            Largest first; boxes may reach beyond the image.
        """
        candidates = self._search(image)
        faces = self._judge(image, candidates)
        if not faces:
            # Where a face is larger than the picture, it is seen only from farther away.
            faces = self._judge(image, self._search_from_afar(image))
        return _distinct(faces)

    def _judge(
        self, image: Image, candidates: Candidates
    ) -> list[tuple[FloatArray, FloatArray, float]]:
        """Box, landmarks and score of the candidates that are faces."""
        keep = suppress(candidates.boxes_xyxy, candidates.scores, _MAX_OVERLAP)
        faces: list[tuple[FloatArray, FloatArray, float]] = []
        for index in keep[:_MAX_CANDIDATES]:
            face = self._measure(image, candidates, index)
            if face is not None:
                faces.append(face)
        return faces

    def _search(self, image: Image) -> Candidates:
        """What BlazeFace suspects in the whole image and in its tiles."""
        height, width = image.shape[:2]
        (_, _, longest), *small = tiles(width, height)
        seen: list[Candidates] = []
        side = self._blazeface.side
        if small:
            # Shrunk once for all tiles, and from that again for the whole image.
            scale = small[0][2] / side
            image = _resize(image, width / scale, height / scale)
            for left, top, _ in small:
                row, column = round(top / scale), round(left / scale)
                view = image[row : row + side, column : column + side]
                origin = (round(column * scale), round(row * scale))
                seen.append(self._blazeface.look(view, scale, origin))
        scale = longest / side
        view = _resize(image, width / scale, height / scale)
        seen.append(self._blazeface.look(view, scale, (0, 0)))
        return Candidates.joined(seen)

    def _search_from_afar(self, image: Image) -> Candidates:
        """What BlazeFace suspects in the whole image with a wide black border around it."""
        height, width = image.shape[:2]
        side = self._blazeface.side
        scale = max(width, height) * _BORDERED / side
        view = _resize(image, width / scale, height / scale)
        border = ((side - view.shape[0]) // 2, (side - view.shape[1]) // 2)
        view = np.pad(view, ((border[0], 0), (border[1], 0), (0, 0)))
        return self._blazeface.look(view, scale, (-border[1] * scale, -border[0] * scale))

    def _measure(
        self, image: Image, candidates: Candidates, index: int
    ) -> tuple[FloatArray, FloatArray, float] | None:
        """Box, landmarks and score of a candidate, or None where the mesh sees no face."""
        points, presence = self._mesh.measure(
            image, candidates.boxes_xyxy[index], candidates.eyes[index]
        )
        if presence < self._min_presence:
            return None
        box = np.concatenate([points[:, :2].min(0), points[:, :2].max(0)])
        if min(box[2] - box[0], box[3] - box[1]) < _MIN_SIDE_PX:
            return None
        score = float(np.sqrt(presence * candidates.scores[index]))
        return box, five_landmarks(points), score


def _distinct(faces: list[tuple[FloatArray, FloatArray, float]]) -> list[Detection]:
    """One detection a face, largest first: two candidates may settle on the same one."""
    if not faces:
        return []
    boxes = np.stack([box for box, _, _ in faces])
    scores = np.array([score for _, _, score in faces], np.float32)
    detections = []
    for index in suppress(boxes, scores, _MAX_OVERLAP):
        left, top, right, bottom = boxes[index].tolist()
        box = BoundingBox(left, top, right - left, bottom - top)
        detections.append(Detection(box, faces[index][1], faces[index][2]))
    return sorted(detections, key=lambda face: face.box.area, reverse=True)


def _resize(image: Image, width: float, height: float) -> Image:
    size = (max(round(width), 1), max(round(height), 1))
    picture = PillowImage.fromarray(image)
    return np.asarray(picture.resize(size, PillowImage.Resampling.BILINEAR, reducing_gap=1.1))


def tiles(width: int, height: int) -> list[tuple[int, int, int]]:
    """Squares to look at: the whole image, and overlapping smaller ones where it is large.

    Returns:
        Left, top and side of each, pixels; the first one holds the whole image.
    """
    longest = max(width, height)
    grids = [
        [(left, top, side) for top in _starts(height, side) for left in _starts(width, side)]
        for side in _TILE_SIDES_PX
    ]
    fewest = min(grids, key=len)
    return [(0, 0, longest), *(fewest if longest > _TILE_SIDES_PX[0] else [])]


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = 1 + int(np.ceil((length - side) / (side * (1 - _OVERLAP))))
    return [round(index * (length - side) / (count - 1)) for index in range(count)]


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
        # A part of a face seen at the edge of a tile lies inside the whole one.
        inside = shared / np.maximum(np.minimum(areas[best], areas[rest]), 1e-6)
        same = (shared / np.maximum(union, 1e-6) > max_overlap) | (inside > 0.7)
        order = rest[~same]
    return kept
