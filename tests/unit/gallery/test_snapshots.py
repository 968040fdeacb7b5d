"""Saved indexes, and replicas that save at the same time."""

import numpy as np
import pytest

from model_server.gallery import slots
from model_server.gallery.hubness import Hubness
from model_server.gallery.index import FaceIndex
from model_server.gallery.records import PersonFaces
from model_server.gallery.snapshots import IndexSnapshots

DIMENSION = 16
ROWS = np.random.default_rng(0).normal(size=(50, DIMENSION)).astype(np.float32)
ROWS /= np.linalg.norm(ROWS, axis=1, keepdims=True)


def empty_index():
    return FaceIndex(DIMENSION, Hubness.fit(np.zeros((0, DIMENSION), np.float32), 1, 0.0))


def index_of(keys):
    index = empty_index()
    index.replace([PersonFaces(key, ROWS[key : key + 1]) for key in keys])
    return index


@pytest.fixture
def snapshots(tmp_path):
    return IndexSnapshots(tmp_path / "index", "gallery embedder seed")


def is_whole(index):
    return [hits[0].key for hits in index.search(ROWS, 1)] == list(range(len(ROWS)))


def test_the_newest_is_opened_and_the_older_are_removed(snapshots):
    """Of each revision, and of the same revision saved again."""
    for revision in (3, 4, 4):
        snapshots.save(index_of(range(50)), revision)
        opened = empty_index()
        assert snapshots.open(opened) == revision
        assert is_whole(opened)
    # The pointer, the lists, the vectors and the owners.
    assert len(list(snapshots.folder.iterdir())) == 4


def test_nothing_is_opened_that_does_not_fit(snapshots):
    """No file yet, or one of another gallery."""
    assert snapshots.open(empty_index()) is None
    snapshots.save(index_of(range(50)), 3)
    assert IndexSnapshots(snapshots.folder, "another").open(empty_index()) is None


def test_two_replicas_that_save_at_once_mix_nothing_up(snapshots, monkeypatch):
    """The same faces in another order: what one wrote never stands beside what the other did."""
    save_owners = np.savez

    def save_behind_another(path, **arrays):
        monkeypatch.setattr(slots.np, "savez", save_owners)
        snapshots.save(index_of(reversed(range(50))), 7)
        save_owners(path, **arrays)

    monkeypatch.setattr(slots.np, "savez", save_behind_another)
    snapshots.save(index_of(range(50)), 7)
    opened = empty_index()
    assert snapshots.open(opened) == 7
    assert is_whole(opened)
