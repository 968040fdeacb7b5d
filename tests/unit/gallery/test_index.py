"""The index: exact, and with a graph beside it."""

import threading

import numpy as np
import pytest

from model_server.gallery.graph import FaceGraph
from model_server.gallery.hubness import Hubness
from model_server.gallery.index import FaceIndex
from model_server.gallery.records import PersonFaces
from model_server.gallery.slots import FaceSlots

DIMENSION = 16
NO_HUBNESS = Hubness.fit(np.zeros((0, DIMENSION), np.float32), 1, 0.0)


def unit_rows(count, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def people(rows, first=0, each=1):
    return [
        PersonFaces(first + number, rows[number * each : (number + 1) * each])
        for number in range(len(rows) // each)
    ]


def keys_of(index, rows, count=1, **options):
    return [[hit.key for hit in hits] for hits in index.search(rows, count, **options)]


@pytest.fixture(params=["exact", "graph", "both", "mapped"])
def index(request, tmp_path):
    """600 faces of 300 people: compared, in a graph, partly so, and in a mapped file."""
    rows = unit_rows(600)
    limit = {"exact": 10_000, "both": 300}.get(request.param, 0)
    made = FaceIndex(DIMENSION, NO_HUBNESS, exact_limit=limit, recent_limit=limit)
    made.replace(people(rows, each=2), known=False)
    made.settle()
    assert made.has_graph == (request.param != "exact")
    if request.param == "mapped":
        made.save(tmp_path / "faces.usearch")
        made = FaceIndex(DIMENSION, NO_HUBNESS, recent_limit=50)
        made.open(tmp_path / "faces.usearch")
    return made


def test_each_face_finds_its_person(index):
    """Whichever way faces are kept, the nearest is found, with its cosine."""
    assert keys_of(index, unit_rows(600)) == [[number // 2] for number in range(600)]
    [[hit]] = index.search(unit_rows(600)[7:8], 1)
    assert hit.cosine == pytest.approx(1, abs=2e-3)


def test_the_best_come_first_and_once(index):
    """The order is that of the cosine of each person's best face."""
    rows, query = unit_rows(600), unit_rows(1, seed=9)
    best = (rows @ query[0]).reshape(300, 2).max(1)
    assert keys_of(index, query, 20) == [np.argsort(-best)[:20].tolist()]


def test_removed_people_are_not_found(index):
    """Who was removed leaves the place to the next."""
    rows = unit_rows(600)
    index.remove([0, 5])
    found = keys_of(index, rows[[0, 10, 12]], 3)
    assert not {0, 5} & {key for keys in found for key in keys}
    assert found[2][0] == 6


def test_replaced_people_are_found_by_their_new_faces_only(index):
    """Old faces of a person who changed are forgotten."""
    new = unit_rows(1, seed=5)
    index.replace([PersonFaces(3, new)])
    assert keys_of(index, new) == [[3]]
    [[hit]] = index.search(unit_rows(600)[6:7], 1)
    assert hit.key != 3 or hit.cosine < 0.99
    index.settle(everything=True)
    assert keys_of(index, new) == [[3]]


def test_only_allowed_people_are_found(index):
    """A filter that leaves few finds them all the same; one that leaves nobody finds nobody."""
    allowed = np.array([7, 8, 9], np.int64)
    [keys] = keys_of(index, unit_rows(1, seed=3), 10, allowed=allowed)
    assert sorted(keys) == [7, 8, 9]
    assert keys_of(index, unit_rows(1), 10, allowed=np.array([], np.int64)) == [[]]


def test_more_is_asked_for_than_there_is(index):
    """Everybody is returned once; nothing is asked for, nothing is returned."""
    [keys] = keys_of(index, unit_rows(1, seed=3), 5000)
    assert sorted(keys) == list(range(300))
    assert keys_of(index, unit_rows(1), 0) == [[]]


def test_one_person_with_many_faces_hides_nobody():
    """More is looked at where the nearest faces are all of one person."""
    index = FaceIndex(DIMENSION, NO_HUBNESS)
    crowd = unit_rows(1) + 0.01 * unit_rows(500, seed=2)
    crowd /= np.linalg.norm(crowd, axis=1, keepdims=True)
    index.replace([PersonFaces(1, crowd), *people(unit_rows(5, seed=4), first=2)])
    [keys] = keys_of(index, unit_rows(1), 3)
    assert keys[0] == 1
    assert len(set(keys)) == 3


def test_searches_go_on_while_faces_are_added_and_moved():
    """A face that is there is found at every moment, also as others move into the graph."""
    rows = unit_rows(4000, seed=1)
    index = FaceIndex(DIMENSION, NO_HUBNESS, exact_limit=200, recent_limit=100)
    index.replace(people(rows[:400]))
    failures = []

    def write():
        for start in range(400, 4000, 200):
            index.replace(people(rows[start : start + 200], first=start))
            index.settle()

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        failures += [n for n in range(0, 400, 40) if keys_of(index, rows[n : n + 1]) != [[n]]]
    writer.join()
    assert failures == []
    found = np.array(keys_of(index, rows))[:, 0]
    assert np.mean(found == np.arange(4000)) > 0.99


def test_people_who_change_while_they_move_are_up_to_date_at_every_moment(monkeypatch):
    """Who is removed or replaced during a move leaves no old face behind, then or later."""
    rows, new = unit_rows(20), unit_rows(1, seed=5)
    index = FaceIndex(DIMENSION, NO_HUBNESS)
    index.replace(people(rows))
    real = FaceGraph.add
    seen = []

    def add(graph, *arguments, **options):
        if not seen:
            index.remove([5])
            index.replace([PersonFaces(3, new)])
        real(graph, *arguments, **options)
        seen.append(facts())

    def facts():
        everybody = {hit.key for hit in index.search(rows[5:6], 20)[0]}
        [[old]] = index.search(rows[3:4], 1)
        filtered = index.search(rows[3:4], 2, np.array([3, 5]))[0]
        assert [hit.key for hit in filtered] == [3]
        assert filtered[0].cosine < 0.99
        return everybody, old.key != 3 or old.cosine < 0.99, keys_of(index, new)

    monkeypatch.setattr(FaceGraph, "add", add)
    index.settle(everything=True)
    seen.append(facts())
    assert index.has_graph
    assert seen[0] == seen[-1] == (set(range(20)) - {5}, True, [[3]])


def test_a_search_comes_before_the_first_face_is_in_the_graph(monkeypatch):
    """Faces have a place in the file before the graph knows them: they are found all the same."""
    index = FaceIndex(DIMENSION, NO_HUBNESS)
    index.replace(people(unit_rows(20)))
    real = FaceSlots.put
    seen = []

    def put(slots, *arguments):
        placed = real(slots, *arguments)
        seen.append((index.has_graph, keys_of(index, unit_rows(20))))
        return placed

    monkeypatch.setattr(FaceSlots, "put", put)
    index.settle(everything=True)
    assert seen == [(True, [[number] for number in range(20)])]


def test_writers_do_not_wait_while_faces_move(monkeypatch):
    """A change comes through in the middle of a move, from another thread."""
    index = FaceIndex(DIMENSION, NO_HUBNESS)
    index.replace(people(unit_rows(20)))
    real = FaceGraph.add
    added = []

    def add(graph, *arguments, **options):
        change = people(unit_rows(2, 8), first=50)
        writer = threading.Thread(target=index.replace, args=(change if not added else [],))
        writer.start()
        writer.join(30)
        added.append(keys_of(index, unit_rows(2, 8)))
        real(graph, *arguments, **options)

    monkeypatch.setattr(FaceGraph, "add", add)
    index.settle(everything=True)
    assert added[0] == [[50], [51]]


def test_the_order_is_that_of_the_faces_not_of_their_bytes():
    """Faces that are the same byte for byte in the graph are told apart all the same."""
    rng = np.random.default_rng(3)
    twins = unit_rows(1) + 1e-3 * rng.normal(size=(30, DIMENSION)).astype(np.float32)
    twins /= np.linalg.norm(twins, axis=1, keepdims=True)
    index = FaceIndex(DIMENSION, NO_HUBNESS, exact_limit=0)
    index.replace(people(np.concatenate([unit_rows(500, seed=6), twins])))
    index.settle(everything=True)
    query = (twins[0] + 5 * (twins[0] - twins[1]))[None]
    query /= np.linalg.norm(query)
    cosines = twins.astype(np.float16).astype(np.float32) @ query[0]
    assert keys_of(index, query, 10) == [(500 + np.argsort(-cosines)[:10]).tolist()]


@pytest.mark.parametrize("part", ["usearch", "vectors.npy", "owners.npz", "quantiser.npz"])
@pytest.mark.parametrize("damage", ["garbage", "gone", "another's"])
def test_a_damaged_file_is_no_index(tmp_path, part, damage):
    """What does not belong together is refused, so that the index is built anew."""
    for name, count in (("faces", 40), ("others", 30)):
        index = FaceIndex(DIMENSION, NO_HUBNESS)
        index.replace(people(unit_rows(count)))
        index.save(tmp_path / f"{name}.usearch")
    path = tmp_path / f"faces.{part}"
    if damage == "garbage":
        path.write_bytes(b"garbage" * 100)
    elif damage == "gone":
        path.unlink()
    elif part != "quantiser.npz":  # any will do
        (tmp_path / f"others.{part}").replace(path)
    else:
        return
    with pytest.raises((ValueError, OSError)):
        FaceIndex(DIMENSION, NO_HUBNESS).open(tmp_path / "faces.usearch")


def test_a_saved_index_is_saved_again_with_what_changed(tmp_path):
    """Opened, changed and saved in the same place: the next to open it finds the changes."""
    path = tmp_path / "faces.usearch"
    index = FaceIndex(DIMENSION, NO_HUBNESS)
    index.replace(people(unit_rows(300)))
    index.save(path)
    for again in range(3):
        index = FaceIndex(DIMENSION, NO_HUBNESS)
        index.open(path)
        index.remove([again])
        index.replace(people(unit_rows(200, seed=again + 7), first=1000 + 200 * again))
        index.save(path)
        assert keys_of(index, unit_rows(300)[10:12]) == [[10], [11]]
    index = FaceIndex(DIMENSION, NO_HUBNESS)
    index.open(path)
    assert len(index) == 300 + 3 * (200 - 1)
    for again in range(3):
        newest = keys_of(index, unit_rows(200, seed=again + 7))
        assert newest == [[1000 + 200 * again + number] for number in range(200)]
    assert not {0, 1, 2} & {key for keys in keys_of(index, unit_rows(3), 50) for key in keys}


def test_a_hub_gives_way():
    """A face that is near to everybody ranks behind one that is near to this face alone."""
    rng = np.random.default_rng(0)
    middle = np.ones(DIMENSION, np.float32) / 4
    reference = middle + 0.2 * rng.normal(size=(200, DIMENSION)).astype(np.float32)
    reference /= np.linalg.norm(reference, axis=1, keepdims=True)
    query = reference[:1]
    # A little less near to the query than the middle is, on the far side from it.
    cosine = float(query[0] @ middle) - 0.02
    away = -middle
    away = away - (away @ query[0]) * query[0]
    away /= np.linalg.norm(away)
    own = (cosine * query[0] + np.sqrt(1 - cosine**2) * away)[None].astype(np.float32)
    gallery = [PersonFaces(1, middle[None]), PersonFaces(2, own)]
    assert float(query[0] @ middle) > float(query[0] @ own[0])
    plain = FaceIndex(DIMENSION, NO_HUBNESS)
    plain.replace(gallery)
    assert keys_of(plain, query) == [[1]]
    corrected = FaceIndex(DIMENSION, Hubness.fit(reference, 10, 1.0))
    corrected.replace(gallery)
    assert keys_of(corrected, query) == [[2]]
