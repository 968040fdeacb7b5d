"""The index: exact, and with a graph beside it."""

import threading

import numpy as np
import pytest

from model_server.gallery.hubness import Hubness
from model_server.gallery.index import FaceIndex
from model_server.gallery.records import PersonFaces

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


@pytest.fixture(params=["exact", "lists", "opened"])
def index(request, tmp_path):
    """600 faces of 300 people: compared, in lists, and in lists from files."""
    limit = 10_000 if request.param == "exact" else 0
    made = FaceIndex(DIMENSION, NO_HUBNESS, exact_limit=limit)
    made.replace(people(unit_rows(600), each=2), known=False)
    made.settle()
    assert made.has_lists == (request.param != "exact")
    if request.param == "opened":
        made.save(tmp_path / "faces.faiss")
        made = FaceIndex(DIMENSION, NO_HUBNESS)
        made.open(tmp_path / "faces.faiss")
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


def test_only_allowed_people_are_found(index):
    """A filter that leaves few finds them all the same; one that leaves nobody finds nobody."""
    allowed = np.array([7, 8, 9], np.int64)
    [keys] = keys_of(index, unit_rows(1, seed=3), 10, allowed=allowed)
    assert sorted(keys) == [7, 8, 9]
    assert keys_of(index, unit_rows(1), 10, allowed=np.array([], np.int64)) == [[]]


def test_a_filter_that_is_too_large_to_gather(index, monkeypatch):
    """The few that it leaves among the many are found, in whichever list they are."""
    monkeypatch.setattr("model_server.gallery.index._GATHERED", 2)
    monkeypatch.setattr("model_server.gallery.lists._SEARCHED_AT_LEAST", 1)
    allowed = np.array([7, 80, 290], np.int64)
    [keys] = keys_of(index, unit_rows(1, seed=3), 3, allowed=allowed)
    assert sorted(keys) == [7, 80, 290]


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
    """A face that is there is found at every moment, also as all move into lists, twice."""
    rows = unit_rows(4000, seed=1)
    index = FaceIndex(DIMENSION, NO_HUBNESS, exact_limit=500)
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
    assert index.has_lists
    found = np.array(keys_of(index, rows))[:, 0]
    assert np.mean(found == np.arange(4000)) > 0.99


def test_lists_of_many_removed_faces_are_made_anew():
    """So that a gallery whose people change does not grow for ever; nobody is lost by it."""
    rows = unit_rows(900, seed=1)
    index = FaceIndex(DIMENSION, NO_HUBNESS, exact_limit=0)
    index.replace(people(rows[:300]))
    index.settle()
    index.remove(range(90))
    assert not index.is_outgrown
    index.remove(range(90, 110))
    assert index.is_outgrown
    index.settle()
    assert not index.is_outgrown
    assert len(index) == 190
    assert keys_of(index, rows[110:300]) == [[number] for number in range(110, 300)]
    assert len(index.search(rows[:1], 300)[0]) == 190


def test_lists_that_became_long_are_made_anew():
    """A gallery that grows gets more of them."""
    rows = unit_rows(3000, seed=1)
    index = FaceIndex(DIMENSION, NO_HUBNESS, exact_limit=0)
    index.replace(people(rows[:300]))
    index.settle()
    index.replace(people(rows[300:], first=300))
    assert index.is_outgrown
    index.settle()
    assert not index.is_outgrown
    assert len(index) == 3000


def test_everybody_can_be_removed_from_lists():
    """Nothing is found then, nothing breaks, and others can be added."""
    index = FaceIndex(DIMENSION, NO_HUBNESS, exact_limit=0)
    index.replace(people(unit_rows(30)))
    index.settle()
    index.remove(range(30))
    index.settle()
    assert keys_of(index, unit_rows(1), 5) == [[]]
    index.replace(people(unit_rows(30), first=50))
    assert keys_of(index, unit_rows(1)) == [[50]]


@pytest.mark.parametrize("count", [1, 2, 17])
def test_lists_of_few_faces(count):
    """There is always enough to learn codes from."""
    index = FaceIndex(DIMENSION, NO_HUBNESS, exact_limit=0)
    index.replace(people(unit_rows(count)))
    index.settle()
    assert index.has_lists
    assert keys_of(index, unit_rows(count)) == [[number] for number in range(count)]


def test_the_order_is_that_of_the_faces_not_of_their_codes():
    """Faces whose codes are the same are told apart."""
    rng = np.random.default_rng(3)
    twins = unit_rows(1) + 1e-3 * rng.normal(size=(30, DIMENSION)).astype(np.float32)
    twins /= np.linalg.norm(twins, axis=1, keepdims=True)
    index = FaceIndex(DIMENSION, NO_HUBNESS, exact_limit=0)
    index.replace(people(np.concatenate([unit_rows(500, seed=6), twins])))
    index.settle()
    query = (twins[0] + 5 * (twins[0] - twins[1]))[None]
    query /= np.linalg.norm(query)
    cosines = twins.astype(np.float16).astype(np.float32) @ query[0]
    assert keys_of(index, query, 10) == [(500 + np.argsort(-cosines)[:10]).tolist()]


@pytest.mark.parametrize("part", ["faiss", "vectors.npy", "owners.npz"])
@pytest.mark.parametrize("damage", ["garbage", "cut off", "gone", "another's"])
def test_a_damaged_file_is_no_index(tmp_path, part, damage):
    """What does not belong together is refused, so that the index is built anew."""
    for name, count in (("faces", 40), ("others", 30)):
        index = FaceIndex(DIMENSION, NO_HUBNESS)
        index.replace(people(unit_rows(count)))
        index.save(tmp_path / f"{name}.faiss")
    path = tmp_path / f"faces.{part}"
    if damage == "garbage":
        path.write_bytes(b"garbage" * 100)
    elif damage == "cut off":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "gone":
        path.unlink()
    else:
        (tmp_path / f"others.{part}").replace(path)
    with pytest.raises((ValueError, OSError)):
        FaceIndex(DIMENSION, NO_HUBNESS).open(tmp_path / "faces.faiss")


def test_an_index_of_another_dimension_is_refused(tmp_path):
    """It is another embedder's, or half of it is."""
    for name, dimension in (("faces", DIMENSION), ("others", 2 * DIMENSION)):
        index = FaceIndex(dimension, Hubness.fit(np.zeros((0, dimension), np.float32), 1, 0.0))
        index.replace(people(np.eye(dimension, dtype=np.float32)[:16]))
        index.save(tmp_path / f"{name}.faiss")
    with pytest.raises(ValueError, match="belong together"):
        FaceIndex(DIMENSION, NO_HUBNESS).open(tmp_path / "others.faiss")
    (tmp_path / "others.faiss").replace(tmp_path / "faces.faiss")
    with pytest.raises(ValueError, match="belong together"):
        FaceIndex(DIMENSION, NO_HUBNESS).open(tmp_path / "faces.faiss")


def test_a_saved_index_is_saved_again_with_what_changed(tmp_path):
    """Opened, changed and saved in the same place: the next to open it finds the changes."""
    path = tmp_path / "faces.faiss"
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
