"""Scenes whose faces are known, and how they are counted."""

import numpy as np

from model_server.analysis import BoundingBox, Detection
from training.embedder.scenes import Scene, compose, hits


def face_at(x, y, width):
    box = BoundingBox(x - width / 2, y - width / 2, width, width)
    return Detection(box, np.zeros((5, 2), np.float32), 0.9)


def test_heads_are_pasted_where_they_are_said_to_be():
    """White heads on black: bright at each face's centre, and none over another."""
    rng = np.random.default_rng(0)
    heads = [np.full((250, 250, 3), 255, np.uint8)] * 8
    scene = compose(heads, np.zeros((10, 10, 3), np.uint8), 80, rng, degrees=45)
    assert len(scene.faces) == 8
    for x, y, _ in scene.faces:
        assert scene.picture[int(y), int(x)].min() > 200
    assert (scene.picture[..., 0] > 200).mean() < 0.25


def test_covered_halves():
    """One half of the face is as it was, the other is covered."""
    rng = np.random.default_rng(1)
    head = np.full((250, 250, 3), 255, np.uint8)
    scene = compose([head], np.zeros((10, 10, 3), np.uint8), 200, rng, covered=True)
    x, y, width = scene.faces[0]
    sides = [int(scene.picture[int(y), int(x + side * width / 4), 0]) for side in (-1, 1)]
    assert min(sides) < 120
    assert max(sides) > 240


def test_counting():
    """A face counts once; what is elsewhere, or of another size, is a false positive."""
    scene = Scene(np.zeros((9, 9, 3), np.uint8), [(100, 100, 50), (300, 100, 50)])
    found = [face_at(105, 98, 48), face_at(104, 99, 50), face_at(300, 100, 200)]
    assert hits(scene, found) == (1, 2)
