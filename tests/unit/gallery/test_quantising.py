"""Vectors as bytes."""

import numpy as np

from model_server.gallery.quantising import Quantiser


def faces(count, seed=0):
    rng = np.random.default_rng(seed)
    rows = 1 + rng.normal(size=(count, 32)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_distances_stay_nearly_what_they_are():
    """Of faces that were not seen while fitting too, although they share half their length."""
    quantiser = Quantiser.fit(faces(2000))
    rows = faces(200, seed=1)
    codes = quantiser(rows).astype(np.float32) / quantiser.scale
    true = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    coded = np.linalg.norm(codes[:, None] - codes[None], axis=2)
    assert np.abs(true - coded).max() < 0.02


def test_what_is_out_of_range_is_cut_off():
    """It does not come out at the other end."""
    quantiser = Quantiser.fit(faces(2000))
    codes = quantiser(np.stack([np.full(32, 9.0), np.full(32, -9.0)]).astype(np.float32))
    assert codes.tolist() == [[127] * 32, [-127] * 32]


def test_a_single_face_is_enough():
    """Nothing is divided by zero, and others are told from it."""
    [first, second] = faces(2, seed=2)
    quantiser = Quantiser.fit(first[None])
    assert not quantiser(first[None]).any()
    assert quantiser(second[None]).any()
