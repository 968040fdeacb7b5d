"""Several servers on one database, and one that is killed in the middle of its work."""

import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from itertools import pairwise

import pytest

from model_server.errors import (
    CelebrityNotFoundError,
    GalleryMismatchError,
    GalleryUnavailableError,
)
from model_server.gallery.rebuild import prune
from tests.support.galleries import face_of, open_gallery, person, write_seed

WITHIN_S = 10
"""Far more than it takes, for a busy machine; the loop below ends as soon as it can."""


def eventually(check):
    deadline = time.monotonic() + WITHIN_S
    while not check():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def best_of(gallery, face, **options):
    matches = gallery.match(face.embedding[None], max_matches=1, **options)[0]
    return matches[0].celebrity.id if matches else None


@pytest.fixture
def replicas(database_url, seed):
    opened = [open_gallery(database_url, seed) for _ in range(2)]
    yield opened
    for gallery in opened:
        gallery.close()


def is_gone(gallery, celebrity_id):
    try:
        gallery.get(celebrity_id)
    except CelebrityNotFoundError:
        return True
    return False


def test_replicas_follow_a_writer(replicas, database_url, seed):
    """New people, new names, new tags and deletions reach every replica by themselves."""
    writer = open_gallery(database_url, seed, follow=False)
    writer.create(person("Ada", "field:math"), [face_of("ada")])
    for replica in replicas:
        eventually(lambda replica=replica: best_of(replica, face_of("ada", 1)) == "ada")
        assert replica.get("ada").display_name == "Ada"
        assert best_of(replica, face_of("ada", 1), required_tags=["field:math"]) == "ada"
    writer.update(person("Ada", "field:poetry", aliases=("Countess",)))
    for replica in replicas:
        eventually(lambda replica=replica: replica.get("ada").aliases == ("Countess",))
        eventually(
            lambda replica=replica: (
                best_of(replica, face_of("ada", 1), required_tags=["field:math"]) is None
            )
        )
    writer.delete("ada")
    for replica in replicas:
        eventually(lambda replica=replica: is_gone(replica, "ada"))
        eventually(lambda replica=replica: best_of(replica, face_of("ada", 1)) != "ada")
    writer.close()


def test_replicas_that_write_at_once_lose_nothing(replicas):
    """Two writers side by side: each change gets a revision of its own and is followed."""

    def write(replica, prefix):
        for number in range(15):
            name = f"{prefix}{number}"
            replica.create(person(name), [face_of(name)])

    threads = [
        threading.Thread(target=write, args=(replica, prefix))
        for replica, prefix in zip(replicas, ("a", "b"), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [f"{prefix}{number}" for prefix in "ab" for number in range(15)]
    for replica in replicas:
        eventually(lambda replica=replica: len(replica) == 2 + len(names))
        assert [best_of(replica, face_of(name, 1)) for name in names] == names
        assert replica.list(page_size=1).total == 2 + len(names)


def test_replicas_that_change_two_fields_at_once_keep_both(replicas):
    """One changes the tags, the other the aliases: neither puts back what the other had."""
    replicas[0].create(person("Ada"))
    lost = []

    def change(replica, field, values):
        for before, value in pairwise(values):
            if getattr(replica.store.get("ada"), field) != before:
                lost.append(before)
            replica.update(replace(person("Ada"), **{field: value}), [field])

    rounds = range(40)
    threads = [
        threading.Thread(target=change, args=(replica, field, [(), *values]))
        for replica, field, values in (
            (replicas[0], "tags", [(f"round:{number}",) for number in rounds]),
            (replicas[1], "aliases", [(f"Ada {number}",) for number in rounds]),
        )
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == []
    ada = replicas[0].store.get("ada")
    assert (ada.tags, ada.aliases) == (("round:39",), ("Ada 39",))


def test_two_that_start_at_once_plant_the_seed_once(database_url, seed):
    """The first start of several replicas may be at the same moment."""
    opened = []
    threads = [
        threading.Thread(target=lambda: opened.append(open_gallery(database_url, seed)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(gallery) for gallery in opened] == [2, 2, 2]
    for gallery in opened:
        gallery.close()


def test_an_import_that_is_killed_keeps_what_was_committed(database_url, seed, gallery):
    """After kill -9 every celebrity that was reported is there whole, and writing goes on."""
    script = """
        import sys
        from pathlib import Path
        from tests.support.galleries import face_of, open_gallery, person

        gallery = open_gallery(sys.argv[1], Path(sys.argv[2]), follow=False)
        for number in range(10_000):
            name = f"n{number}"
            faces = [face_of(name, photo, picture=b"p" * 20_000) for photo in range(3)]
            gallery.create(person(name), faces)
            print(name, flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), database_url, str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as importer:
        reported = [importer.stdout.readline().strip() for _ in range(8)]
        importer.kill()
        reported += importer.stdout.read().split()
    gallery.refresh()
    found = gallery.list(page_size=1000, query="n").celebrities
    imported = [one for one in found if one.id.startswith("n")]
    assert {one.id for one in imported} >= set(reported)
    assert {(one.face_count, one.has_picture) for one in imported} == {(3, True)}
    assert best_of(gallery, face_of(reported[-1], 7)) == reported[-1]
    gallery.create(person("Ada"), [face_of("ada")])
    assert best_of(gallery, face_of("ada", 1)) == "ada"


class Reembedder:
    """An enroller of the new embedder: the picture's bytes name the face."""

    def enrol(self, data):
        return face_of(data.decode(), 2)


def test_another_embedder_embeds_kept_pictures_anew_beside_the_old(gallery, database_url, tmp_path):
    """Servers with the old embedder go on; those with the new one get everybody, by and by."""
    gallery.create(person("Ada"), [face_of("ada", picture=b"ada")])
    new_seed = write_seed(tmp_path / "new", embedder_version="embedder-new", photo=2)
    newer = open_gallery(database_url, new_seed, embedder_version="embedder-new", follow=False)
    assert best_of(newer, face_of("ada", 3)) != "ada"
    rebuild = newer.rebuild(Reembedder())
    rebuild.wait()
    assert (rebuild.done, rebuild.failed) == (1, 0)
    assert best_of(newer, face_of("ada", 3)) == "ada"
    assert best_of(newer, face_of("Seed One", 3)) == "seed-one"
    assert newer.get("ada").face_count == 1
    gallery.refresh()
    assert best_of(gallery, face_of("ada", 1)) == "ada"
    assert gallery.get("ada").face_count == 1
    again = newer.rebuild(Reembedder())
    again.wait()
    assert again.done == 0
    newer.close()


@pytest.mark.parametrize("picture", [None, b"ada"])
def test_a_photo_that_was_enrolled_anew_is_not_in_the_way(gallery, database_url, tmp_path, picture):
    """Its old picture belongs to the new face; those behind it are embedded, once for all."""
    for name in ("ada", "eve"):
        gallery.create(person(name), [face_of(name, picture=name.encode())])
    new_seed = write_seed(tmp_path / "new", embedder_version="embedder-new", photo=2)
    newer = open_gallery(database_url, new_seed, embedder_version="embedder-new", follow=False)
    newer.add_face("ada", face_of("ada", 2, photo_digest="ada-0", picture=picture))
    rebuild = newer.rebuild(Reembedder())
    rebuild.wait()
    assert (rebuild.done, rebuild.failed) == (1, 0)
    assert [newer.get(name).face_count for name in ("ada", "eve")] == [1, 1]
    assert newer.picture_of("ada") == b"ada"
    idle = Reembedder()
    idle.enrol = None  # is not asked again
    newer.rebuild(idle).wait()
    prune(newer.store)
    assert newer.picture_of("ada") == b"ada"
    newer.close()


def test_an_interrupted_rebuild_says_so(gallery, database_url, tmp_path, monkeypatch):
    """Whoever waits for it hears what happened; the rest is done the next time."""
    gallery.create(person("ada"), [face_of("ada", picture=b"ada")])
    new_seed = write_seed(tmp_path / "new", embedder_version="embedder-new", photo=2)
    newer = open_gallery(database_url, new_seed, embedder_version="embedder-new", follow=False)

    def full():
        raise GalleryUnavailableError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(newer.store, "writing", full)
        with pytest.raises(GalleryUnavailableError, match="full"):
            newer.rebuild(Reembedder()).wait()
    again = newer.rebuild(Reembedder())
    again.wait()
    assert again.done == 1
    newer.close()


def test_another_embedder_is_refused_where_there_are_no_pictures(gallery, database_url, tmp_path):
    """The message names who would be lost and what to do."""
    gallery.create(person("Ada"), [face_of("ada")])
    new_seed = write_seed(tmp_path / "new", embedder_version="embedder-new", photo=2)
    with pytest.raises(GalleryMismatchError, match=r"Ada.*pictures"):
        open_gallery(database_url, new_seed, embedder_version="embedder-new")
    assert best_of(gallery, face_of("ada", 1)) == "ada"
