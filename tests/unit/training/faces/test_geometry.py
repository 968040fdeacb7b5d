"""Tests of what is measured on face meshes."""

from __future__ import annotations

import numpy as np
import pytest

from training.faces.geometry import (
    MEASURES,
    Frontal,
    average_by_person,
    frontalise,
    measure,
    residuals,
)


def head(rng: np.random.Generator) -> np.ndarray:
    """A made-up mesh: points on half an ellipsoid, with the points that are measured in place."""
    angles = rng.uniform(-1.2, 1.2, (468, 2))
    points = np.column_stack(
        [
            70 * np.sin(angles[:, 0]),
            90 * np.sin(angles[:, 1]),
            -60 * np.cos(angles[:, 0]) * np.cos(angles[:, 1]),
        ]
    )
    for number, (x, y) in {
        10: (0, -90), 152: (0, 90), 9: (0, -45), 168: (0, -25), 2: (0, 25),
        234: (-70, 0), 454: (70, 0), 33: (-45, -30), 263: (45, -30), 133: (-18, -30),
        362: (18, -30), 61: (-25, 45), 291: (25, 45), 136: (-48, 60), 365: (48, 60),
    }.items():  # fmt: skip
        points[number, :2] = x, y
    return points


def turned(points: np.ndarray, yaw: float = 0, pitch: float = 0, roll: float = 0) -> np.ndarray:
    """The points after turning the head by some degrees."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray(points @ (about_y @ about_x @ about_z).T)


@pytest.fixture
def meshes() -> np.ndarray:
    """One face seen straight, turned, rolled, and moved and enlarged."""
    face = head(np.random.default_rng(0))
    return np.stack(
        [face, turned(face, yaw=25), turned(face, pitch=15), turned(face, roll=30), 3 * face + 500]
    )


def test_pose_size_and_place_do_not_matter(meshes: np.ndarray) -> None:
    """The same face gives the same measures however it is seen."""
    for values in measure(frontalise(meshes, np.ones(5, np.bool_)).points).values():
        assert values == pytest.approx(np.full(len(meshes), values[0]))


def test_pose_is_told(meshes: np.ndarray) -> None:
    """Yaw and pitch differ by what the head was turned; roll counts for nothing."""
    found = frontalise(meshes, np.ones(5, np.bool_))
    assert abs(found.yaw[1] - found.yaw[0]) == pytest.approx(25, abs=1)
    assert abs(found.pitch[2] - found.pitch[0]) == pytest.approx(15, abs=1)
    assert found.yaw[3] == pytest.approx(found.yaw[0], abs=1)
    assert found.pitch[3] == pytest.approx(found.pitch[0], abs=1)


def test_other_faces_do_not_move_the_mean(meshes: np.ndarray) -> None:
    """What is found of the faces fitted on depends on no other face."""
    fit_on = np.arange(len(meshes)) < 3
    others = np.stack([*meshes[:3], *(turned(face, pitch=40) * [1, 2, 1] for face in meshes[3:])])
    first, second = frontalise(meshes, fit_on), frontalise(others, fit_on)
    for name in ("points", "yaw", "pitch"):
        found, again = (getattr(frontal, name)[fit_on] for frontal in (first, second))
        np.testing.assert_allclose(found, again)


def test_longer_face_measures_longer() -> None:
    """Aspect is height over width; the wider jaw has the larger share of the width."""
    face = head(np.random.default_rng(0))
    longer, wider = face * [1, 1.2, 1], face.copy()
    wider[[136, 365], 0] *= 1.2
    found = measure(frontalise(np.stack([face, longer, wider]), np.ones(3, np.bool_)).points)
    assert found["aspect"][1] / found["aspect"][0] == pytest.approx(1.2, abs=0.02)
    assert found["jaw"][2] / found["jaw"][0] > 1.15


def test_residuals_forget_pose_and_smile() -> None:
    """What a smile and the pose explain of a measure is taken out, the rest stays."""
    rng = np.random.default_rng(0)
    count = 400
    own, smile, pitch = rng.normal(size=count), rng.uniform(size=count), rng.normal(0, 8, count)
    shown = dict.fromkeys(MEASURES, own + 3 * smile - 0.2 * pitch)
    shown |= {"mouth_width": smile, "mouth_opening": rng.uniform(size=count)}
    frontal = Frontal(np.empty((count, 0, 3)), rng.normal(0, 5, count), pitch)
    left = residuals(shown, frontal, smile, np.ones(count, np.bool_))
    for name in MEASURES:
        assert np.corrcoef(left[name], own)[0, 1] > 0.97
        assert abs(np.corrcoef(left[name], smile)[0, 1]) < 0.05
        assert left[name].std() == pytest.approx(1)


def test_person_gets_one_value() -> None:
    """Photos of a person share the mean over the usable ones; without any there is none."""
    values = np.array([1.0, 3.0, 100.0, 7.0])
    usable = np.array([True, True, False, False])
    found = average_by_person(values, ["a", "a", "a", "b"], usable)
    assert found[:3].tolist() == [2, 2, 2]
    assert np.isnan(found[3])
