"""BlazeFace's anchors: from the network's numbers to boxes and key points.

V. Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile
GPUs", 2019. The networks are MediaPipe's, one call looks at one square.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_server.analysis import FloatArray, Image
from model_server.engines import Session

__all__ = ["BlazeFace", "Candidates", "make_anchors"]


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

    def take(self, index: Sequence[int] | FloatArray) -> Candidates:
        """Some of them, by number or mask."""
        return Candidates(self.boxes_xyxy[index], self.eyes[index], self.scores[index])

    @staticmethod
    def joined(parts: Sequence[Candidates]) -> Candidates:
        """All of several."""
        return Candidates(
            np.concatenate([part.boxes_xyxy for part in parts]),
            np.concatenate([part.eyes for part in parts]),
            np.concatenate([part.scores for part in parts]),
        )


def make_anchors(side: int, strides: Sequence[int]) -> FloatArray:
    """Centres of the anchors, 0..1: two a cell for each entry of ``strides``.

    Args:
        side: Of the network's square input, pixels.
        strides: Of the output layers, in order; equal neighbours share a grid.

    Returns:
        Shape (anchors, 2).
    """
    grids: list[FloatArray] = []
    index = 0
    while index < len(strides):
        stride, layers = strides[index], 0
        while index < len(strides) and strides[index] == stride:
            layers, index = layers + 1, index + 1
        cells = side // stride
        # A single-layer network has one anchor a cell.
        each = 2 * layers if len(strides) > 1 else 1
        centres = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        x, y = np.meshgrid(centres, centres)
        grid = np.stack([x, y], -1).reshape(-1, 2).repeat(each, axis=0)
        grids.append(grid.astype(np.float32))
    return np.concatenate(grids)


class BlazeFace:
    """One of BlazeFace's networks.

    Args:
        session: Input (1, side, side, 3) in -1..1; outputs (1, A, 16) and (1, A, 1).
        strides: Of its output layers.
        threshold: Candidates below this score are dropped.
    """

    def __init__(self, session: Session, strides: Sequence[int], threshold: float) -> None:
        self._session = session
        [(self._input, shape)] = session.input_shapes.items()
        self.side = shape[1]
        self._anchors = make_anchors(self.side, strides)
        self._threshold = threshold

    def look(self, view: Image, scale: float, origin: tuple[float, float]) -> Candidates:
        """Looks at a part of the image, already at the network's scale.

        Args:
            view: RGB uint8, at most :attr:`side` pixels wide and high; what is missing
                on the right and below is black.
            scale: Pixels of the image per pixel of the view.
            origin: Where the view's left upper corner lies in the image, pixels.
        """
        rows, columns = view.shape[:2]
        square = np.full((1, self.side, self.side, 3), -1.0, np.float32)
        inside = square[0, :rows, :columns]
        np.multiply(view, np.float32(1 / 127.5), out=inside)
        inside -= 1.0
        outputs = list(self._session.run({self._input: square}).values())
        regressors = next(value[0] for value in outputs if value.shape[-1] > 1)
        logits = next(value[0, :, 0] for value in outputs if value.shape[-1] == 1)
        return self._decode(regressors, logits, scale, np.array(origin, np.float32))

    def _decode(
        self, regressors: FloatArray, logits: FloatArray, scale: float, origin: FloatArray
    ) -> Candidates:
        scores = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
        keep = scores >= self._threshold
        pairs = regressors[keep].reshape(-1, 8, 2) / self.side
        anchors = self._anchors[keep]
        to_pixels = self.side * scale
        centres = (pairs[:, 0] + anchors) * to_pixels + origin
        halves = pairs[:, 1] * to_pixels / 2
        eyes = (pairs[:, 2:4] + anchors[:, None]) * to_pixels + origin
        boxes = np.concatenate([centres - halves, centres + halves], axis=1)
        return Candidates(
            boxes.astype(np.float32), eyes.astype(np.float32), scores[keep].astype(np.float32)
        )
