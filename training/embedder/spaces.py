"""What vectors of one space say, told in another one or in fewer numbers."""

from __future__ import annotations

import numpy as np

from model_server.analysis import FloatArray

__all__ = ["principal_axes", "rotation", "turned"]


def principal_axes(targets: FloatArray, dimension: int) -> FloatArray:
    """The directions in which the teacher's vectors differ most, shape (D, dimension).

    Half as many numbers as the teacher gives hold nearly all that it says.
    """
    _, _, axes = np.linalg.svd(targets, full_matrices=False)
    return np.ascontiguousarray(axes[:dimension].T, np.float32)


def rotation(vectors: FloatArray, towards: FloatArray) -> FloatArray:
    """Takes vectors to the space of others: orthogonal Procrustes problem (Schönemann, 1966).

    Args:
        vectors: Unit rows, shape (N, D).
        towards: What is said of the same faces in the other space, shape (N, d), d <= D.

    Returns:
        Shape (D, d): ``vectors @ rotation`` lies as near to ``towards`` as a rotation can take it.
    """
    left, _, right = np.linalg.svd(vectors.T @ towards, full_matrices=False)
    return np.asarray(left @ right, np.float32)


def turned(vectors: FloatArray, towards: FloatArray) -> FloatArray:
    """Vectors in the space of others: cosines stay, as far as fewer numbers can hold them.

    Args:
        vectors: As :func:`rotation` takes them.
        towards: Likewise.

    Returns:
        Unit rows, shape (N, d).
    """
    rows = vectors @ rotation(vectors, towards)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
