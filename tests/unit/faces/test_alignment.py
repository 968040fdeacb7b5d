"""Warping faces onto templates."""

import numpy as np
import pytest

from model_server.analysis import BoundingBox, Detection
from model_server.faces.alignment import (
    PORTRAIT_SIDE,
    PORTRAIT_TEMPLATE,
    align_face,
    align_portrait,
    crop_face,
    similarity_transform,
)

POINTS = np.float32([[30, 40], [70, 42], [50, 60], [36, 80], [64, 81]])


def rotated(points, degrees, scale, shift):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (scale * points @ turn.T + shift).astype(np.float32)


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1), (30, 0.5), (-170, 4), (90, 1.7)])
def test_a_similarity_is_recovered(degrees, scale):
    """Rotation, scale and shift come back exactly, whatever they are."""
    target = rotated(POINTS, degrees, scale, [5, -9])
    matrix = similarity_transform(POINTS, target)
    np.testing.assert_allclose(POINTS @ matrix[:, :2].T + matrix[:, 2], target, atol=1e-3)


def test_no_mirroring():
    """A mirrored face is met as closely as a rotation can, never by mirroring."""
    mirrored = POINTS * [-1, 1]
    matrix = similarity_transform(POINTS, mirrored.astype(np.float32))
    assert np.linalg.det(matrix[:, :2]) > 0


def dotted(size, points, radius):
    """A black picture with a white dot at each point."""
    y, x = np.mgrid[:size, :size]
    image = np.zeros((size, size, 3), np.uint8)
    for px, py in points:
        image[(x + 0.5 - px) ** 2 + (y + 0.5 - py) ** 2 < radius**2] = 255
    return image


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1.0), (25, 2.0), (-60, 6.0)])
def test_landmarks_land_on_the_template(degrees, scale):
    """However the face is turned and however large, its landmarks lie where they shall."""
    size = int(160 * scale)
    landmarks = rotated(POINTS - 55, degrees, scale, size / 2)
    image = dotted(size, landmarks, 4 * scale)
    aligned = align_face(image, landmarks, PORTRAIT_TEMPLATE, (128, 128))
    for x, y in rotated_template(landmarks) * 128:
        assert aligned[int(y), int(x)].min() > 180


def rotated_template(landmarks):
    """Where the landmarks end up: the closest similarity, not the template itself."""
    matrix = similarity_transform(landmarks, PORTRAIT_TEMPLATE)
    return landmarks @ matrix[:, :2].T + matrix[:, 2]


def test_a_portrait_beyond_the_edge_is_grey():
    """What lies outside of the photo is neutral, not black and not repeated."""
    image = np.full((60, 60, 3), 255, np.uint8)
    detection = Detection(BoundingBox(0, 0, 60, 60), POINTS * 0.6, 0.9)
    portrait = align_portrait(image, detection)
    assert portrait.shape == (PORTRAIT_SIDE, PORTRAIT_SIDE, 3)
    assert portrait[PORTRAIT_SIDE // 2, PORTRAIT_SIDE // 2].tolist() == [255, 255, 255]
    assert portrait[2, 2].tolist() == [127, 127, 127]


def test_shrinking_does_not_alias():
    """A fine pattern becomes its mean, not a moiré."""
    image = np.zeros((1200, 1200, 3), np.uint8)
    image[::2, ::2] = 255
    image[1::2, 1::2] = 255
    aligned = align_face(image, POINTS * 12, PORTRAIT_TEMPLATE, (64, 64))
    centre = aligned[24:40, 24:40].astype(int)
    assert np.abs(centre - 127).max() < 12


def test_crops_stay_inside_the_photo_and_below_the_limit():
    """A face at the corner gives a smaller crop, a huge one is scaled down."""
    image = np.zeros((400, 600, 3), np.uint8)
    corner = crop_face(image, BoundingBox(-10, -10, 60, 60), margin=0.4, max_side=512)
    assert 0 < corner.shape[0] < 100
    large = crop_face(image, BoundingBox(100, 20, 300, 360), margin=0.4, max_side=128)
    assert max(large.shape) == 128
