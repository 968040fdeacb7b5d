"""The faces behind the lists: whose they are, and where."""

import numpy as np
import pytest

from model_server.gallery.slots import FaceSlots

DIMENSION = 8


def rows_of(*values):
    return np.array([[value] * DIMENSION for value in values], np.float32)


def put(slots, keys, vectors):
    bias = np.full(len(keys), 0.25, np.float32)
    return slots.put(np.array(keys, np.int64), vectors, bias).tolist()


@pytest.fixture(params=["memory", "mapped"])
def slots(request, tmp_path):
    """Two faces of person 7, one of person 9; in memory, or in a file."""
    made = FaceSlots(DIMENSION)
    put(made, [7, 7, 9], rows_of(1, 2, 3))
    if request.param == "mapped":
        made.save(tmp_path / "faces.faiss")
        made = FaceSlots(DIMENSION)
        made.open(tmp_path / "faces.faiss")
    return made


def test_faces_are_read_by_slot(slots):
    """Owner, vector and bias of each, in the order that was asked for."""
    assert put(slots, [4], rows_of(4)) == [3]
    keys, vectors, bias = slots.read(np.array([3, 0, 2]))
    assert keys.tolist() == [4, 7, 9]
    assert vectors[:, 0].tolist() == [4, 1, 3]
    assert bias.tolist() == [0.25] * 3
    assert len(slots) == 4


def test_removed_faces_are_not_read(slots):
    """Their slots stay empty."""
    assert slots.present([7, 8, 9, 10_000]) == [7, 9]
    slots.remove([7])
    assert slots.present([7]) == []
    assert (len(slots), slots.count) == (1, 3)
    assert slots.all().tolist() == [2]
    assert slots.read(np.array([0, 1, 2]))[0].tolist() == [9]
    assert put(slots, [7, 5], rows_of(5, 6)) == [3, 4]
    assert slots.read(slots.slots_of(np.array([7])))[1][:, 0].tolist() == [5]


def test_what_is_saved_is_left_as_it_is(tmp_path):
    """Changes after opening do not reach the file until it is saved again."""
    path = tmp_path / "faces.faiss"
    first = FaceSlots(DIMENSION)
    put(first, [1, 2], rows_of(1, 2))
    first.save(path)
    second = FaceSlots(DIMENSION)
    second.open(path)
    second.remove([1])
    put(second, [3, 4], rows_of(3, 4))
    third = FaceSlots(DIMENSION)
    third.open(path)
    assert third.read(np.array([0, 1]))[1][:, 0].tolist() == [1, 2]
    second.save(path)
    third.open(path)
    assert len(third) == 3
    assert third.read(np.arange(4))[0].tolist() == [2, 3, 4]
    assert second.read(np.arange(4))[1][:, 0].tolist() == third.read(np.arange(4))[1][:, 0].tolist()
