"""A gallery as one file: exported, restored, damaged, of another time or place."""

import io
import zipfile
from datetime import timedelta

import pytest
import sqlalchemy as sa

from model_server.errors import InvalidRequestError
from model_server.gallery.archive import export_gallery, restore_gallery
from model_server.gallery.database import Database
from model_server.gallery.store import GalleryStore
from tests.support.galleries import (
    DIMENSION,
    EMBEDDER,
    face_of,
    open_gallery,
    person,
    write_seed,
)


def test_a_gallery_is_exported_and_restored_whole(gallery, database_url, tmp_path):
    """People, tags, faces and pictures come back as they were; what came since is gone."""
    ada = person("Ada", "field:math", aliases=("Countess",), wikidata_id="Q7259")
    gallery.create(ada, [face_of("ada", picture=b"p"), face_of("ada", 1)])
    gallery.delete("seed-two")
    before = gallery.get("ada")
    file = tmp_path / "gallery.zip"
    assert export_gallery(gallery.store, file) == 2
    gallery.delete("ada")
    gallery.create(person("Eve"), [face_of("eve")])
    assert restore_gallery(gallery.store, file) == 2
    gallery.refresh()
    after = gallery.get("ada")
    assert (after.tags, after.aliases, after.face_count, after.has_picture, after.create_time) == (
        before.tags,
        before.aliases,
        2,
        True,
        before.create_time,
    )
    assert gallery.picture_of("ada") == b"p"
    match = gallery.match(face_of("ada", 1).embedding[None], max_matches=5)[0]
    assert [one.celebrity.id for one in match] == ["ada", "seed-one"]
    assert gallery.list(page_size=9, required_tags=["field:math"]).total == 1


def rewrite(file, change):
    """Puts other contents into an archive: what ``change`` makes of the name and the old ones."""
    made = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    file.write_bytes(made.getvalue())


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_times_are_exported_in_utc_wherever_the_database_is(database_url, seed, tmp_path):
    """PostgreSQL tells them in the zone of its session, and files are read in other zones."""
    address = sa.make_url(database_url)
    address = address.update_query_dict({"options": "-c timezone=Asia/Kolkata"})
    abroad = open_gallery(address.render_as_string(hide_password=False), seed, follow=False)
    ada = abroad.create(person("Ada-in-India"))
    export_gallery(abroad.store, tmp_path / "gallery.zip")
    abroad.close()
    home = open_gallery(f"sqlite:///{tmp_path / 'g.sqlite3'}", seed, follow=False)
    restore_gallery(home.store, tmp_path / "gallery.zip")
    home.refresh()
    assert home.get(ada.id).create_time == ada.create_time
    assert ada.create_time.utcoffset() == timedelta(0)
    home.close()


def test_a_damaged_file_restores_nothing(library, tmp_path):
    """The gallery stays as it was, whatever is wrong with the file."""
    file = tmp_path / "gallery.zip"
    export_gallery(library.store, file)
    whole = file.read_bytes()
    damaged = [b"garbage", whole[:200], b"".join((whole[:90], b"\xff" * 8, whole[98:]))]
    for change in (
        lambda name, content: content[:-40] if name == "people.jsonl" else content,
        lambda name, content: content * 2 if name == "people.jsonl" else content,
        lambda name, content: b"[]" if name == "gallery.json" else content,
    ):
        rewrite(file, change)
        damaged.append(file.read_bytes())
        file.write_bytes(whole)
    for content in damaged:
        file.write_bytes(content)
        with pytest.raises(InvalidRequestError):
            restore_gallery(library.store, file)
        library.refresh()
        assert library.list(page_size=9).total == 2


def test_a_restored_gallery_is_not_seeded_again(library, tmp_path, seed):
    """Who was not in the file does not come back with the next start."""
    library.delete("seed-one")
    file = tmp_path / "gallery.zip"
    export_gallery(library.store, file)
    restore_gallery(library.store, file)
    write_seed(seed, version="2")
    reopened = open_gallery(library.store.database.url.render_as_string(), seed, follow=False)
    assert [one.id for one in reopened.list(page_size=9).celebrities] == ["seed-two"]
    reopened.close()


def ids_of(gallery):
    return [one.id for one in gallery.list(page_size=9).celebrities]


def test_a_new_gallery_is_restored_without_those_who_were_deleted(
    gallery, database_url, tmp_path, seed
):
    """The seed that is planted afterwards adds only whom it did not have before."""
    gallery.delete("seed-one")
    gallery.create(person("Ada"), [face_of("ada")])
    gallery.delete("ada")
    gallery.create(person("Ada"), [face_of("ada")])
    file = tmp_path / "gallery.zip"
    export_gallery(gallery.store, file)
    url = f"sqlite:///{tmp_path / 'new.sqlite3'}"
    database = Database(url)
    assert restore_gallery(GalleryStore(database, EMBEDDER, DIMENSION), file) == 2
    database.close()
    restored = open_gallery(url, seed, follow=False)
    assert ids_of(restored) == ["ada", "seed-two"]
    restored.close()
    write_seed(seed, ("Seed One", "Seed Two", "Seed Three"), version="2")
    renewed = open_gallery(url, seed, follow=False)
    assert ids_of(renewed) == ["ada", "seed-three", "seed-two"]
    renewed.close()


def test_a_file_of_an_earlier_version_is_restored(library, tmp_path):
    """It does not say who was deleted."""
    file = tmp_path / "gallery.zip"
    export_gallery(library.store, file)
    rewrite(
        file,
        lambda name, content: (
            b'{"format": "lookalike-gallery-1", "people": 2}' if name == "gallery.json" else content
        ),
    )
    assert restore_gallery(library.store, file) == 2
