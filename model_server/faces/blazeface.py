"""BlazeFace's anchors: from the network's numbers to boxes and key points.

V. Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile
GPUs", 2019. The network is MediaPipe's, made fully convolutional.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_server.analysis import FloatArray, Image
from model_server.engines import Session

__all__ = ["CELL", "BlazeFace", "Candidates", "make_anchors"]

CELL = 32
"""Pixels of the coarsest grid's cells: the network's input is a whole number of them."""

_GRIDS = ((16, 2), (CELL, 6))
"""Pixels of a cell and anchors in it, in the order of the network's outputs."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Faces that a network thinks it sees, N of them.

    Attributes:
        boxes_xyxy: Shape (N, 4), pixels.
        eyes: Shape (N, 2, 2), pixels, the left one in the picture first.
        scores: Shape (N,), 0..1.
    """

    boxes_xyxy: FloatArray
    eyes: FloatArray
    scores: FloatArray

    def __len__(self) -> int:
        """How many."""
        return len(self.scores)

    def wider_than(self, pixels: float) -> Candidates:
        """Those whose boxes are."""
        keep = self.boxes_xyxy[:, 2] - self.boxes_xyxy[:, 0] > pixels
        return Candidates(self.boxes_xyxy[keep], self.eyes[keep], self.scores[keep])

    @staticmethod
    def joined(parts: Sequence[Candidates]) -> Candidates:
        """All of several."""
        return Candidates(
            np.concatenate([part.boxes_xyxy for part in parts]),
            np.concatenate([part.eyes for part in parts]),
            np.concatenate([part.scores for part in parts]),
        )


@functools.lru_cache(maxsize=32)
def make_anchors(height: int, width: int) -> FloatArray:
    """Centres of the anchors: two a cell of 16 pixels, then six a cell of 32, row by row.

    Args:
        height: Of the network's input, pixels, a multiple of 32.
        width: Likewise.

    Returns:
        Columns and rows, pixels, shape (anchors, 2); not to be written to.
    """
    grids = []
    for cell, each in _GRIDS:
        rows = np.arange(cell / 2, height, cell, dtype=np.float32)
        columns = np.arange(cell / 2, width, cell, dtype=np.float32)
        centres = np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2)
        grids.append(centres.repeat(each, axis=0))
    anchors: FloatArray = np.concatenate(grids)
    anchors.flags.writeable = False
    return anchors


class BlazeFace:
    """BlazeFace as a fully convolutional network: looks at pictures of any shape.

    Args:
        session: Input uint8 (1, height, width, 3); outputs "boxes" (1, A, 16) and
            "logits" (1, A, 1), the numbers in pixels of the input.
        threshold: Candidates below this score are dropped.
    """

    def __init__(self, session: Session, threshold: float) -> None:
        self._session = session
        [self._input] = session.input_shapes
        self._threshold = threshold

    def look(self, view: Image, scale: float, origin: tuple[float, float] = (0, 0)) -> Candidates:
        """Looks at the image or a part of it, already at the network's scale.

        Args:
            view: RGB uint8; what is missing on the right and below to the next multiple
                of 32 pixels is black.
            scale: Pixels of the image per pixel of the view.
            origin: Where the view's left upper corner lies in the image, pixels.
        """
        rows, columns = view.shape[:2]
        height, width = (-(-side // CELL) * CELL for side in (rows, columns))
        canvas = np.zeros((1, height, width, 3), np.uint8)
        canvas[0, :rows, :columns] = view
        outputs = self._session.run({self._input: canvas})
        logits = outputs["logits"][0, :, 0]
        scores = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
        keep = scores >= self._threshold
        pairs = outputs["boxes"][0, keep].reshape(-1, 8, 2)
        anchors = make_anchors(height, width)[keep]
        shift = np.array(origin, np.float32)
        centres = (pairs[:, 0] + anchors) * scale + shift
        halves = pairs[:, 1] * scale / 2
        eyes = (pairs[:, 2:4] + anchors[:, None]) * scale + shift
        boxes = np.concatenate([centres - halves, centres + halves], axis=1)
        return Candidates(
            boxes.astype(np.float32), eyes.astype(np.float32), scores[keep].astype(np.float32)
        )
