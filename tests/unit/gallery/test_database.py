"""Opening, migrating, and databases that cannot be used."""

import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from model_server.errors import GalleryUnavailableError
from model_server.gallery import database as database_module
from model_server.gallery.database import HEAD, Database
from model_server.gallery.schema import CELEBRITIES, FACTS, METADATA
from tests.support.galleries import face_of, open_gallery, person


def test_the_migrations_make_the_tables_of_the_schema(database_url):
    """Schema and migrations say the same, and opening twice changes nothing."""
    Database(database_url).close()
    database = Database(database_url)
    with database.reading() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == HEAD
        # Names of unnamed constraints differ; columns, types, indexes do not.
        assert [
            change
            for change in compare_metadata(context, METADATA)
            if "constraint" not in change[0]
        ] == []
    database.close()


def test_the_newest_migration_is_the_one_that_is_looked_for():
    """HEAD saves importing Alembic at every start; it must not be forgotten."""
    folder = Path(database_module.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == HEAD


def test_names_that_were_folded_by_an_earlier_version_are_folded_anew(database_url, seed):
    """They are found as names of today are; ids stay as they were."""
    gallery = open_gallery(database_url, seed, follow=False)
    gallery.create(replace(person("Łukasz Żal"), id="ukasz-zal", aliases=("Søren",)))
    old = {"sort_key": "łukasz zal", "search_key": "\nłukasz zal\nsøren"}
    run(
        gallery.store.database,
        sa.update(CELEBRITIES).where(CELEBRITIES.c.id == "ukasz-zal").values(old),
        sa.text("UPDATE alembic_version SET version_num = '0001'"),
    )
    assert gallery.list(page_size=9, query="lukasz").total == 0
    gallery.close()
    gallery = open_gallery(database_url, seed, follow=False)
    assert gallery.list(page_size=1).celebrities[0].id == "ukasz-zal"
    for query in ("lukasz", "soren"):
        assert gallery.list(page_size=9, query=query).total == 1
    gallery.close()


def test_an_address_without_a_server_is_unavailable():
    """The message helps, and does not repeat the password."""
    with pytest.raises(GalleryUnavailableError) as caught:
        Database("postgresql://me:hunter2@127.0.0.1:9/x")
    assert "hunter2" not in caught.value.message


def test_nonsense_for_an_address_is_unavailable():
    """A URL that is none is said to be none, without being repeated."""
    with pytest.raises(GalleryUnavailableError) as caught:
        Database("hunter2")
    assert "hunter2" not in caught.value.message


def test_a_data_directory_that_cannot_be_made_is_unavailable(tmp_path):
    """A file where the folder should be: the message says which setting to change."""
    (tmp_path / "file").touch()
    with pytest.raises(GalleryUnavailableError, match="LOOKALIKE_DATA_DIR"):
        Database(f"sqlite:///{tmp_path / 'file' / 'x' / 'gallery.sqlite3'}")


def test_a_full_disk_is_unavailable_and_reading_goes_on(tmp_path, seed):
    """A write that does not fit is refused whole; what was there still matches."""
    gallery = open_gallery(f"sqlite:///{tmp_path / 'g.sqlite3'}", seed, follow=False)

    @sa.event.listens_for(gallery.store.database.engine, "begin")
    def _full(connection):
        connection.exec_driver_sql("PRAGMA max_page_count = 1")

    with pytest.raises(GalleryUnavailableError, match="full"):
        gallery.create(person("Ada"), [face_of("ada", picture=b"p" * 500_000)])
    assert gallery.list(page_size=9).total == 2
    assert gallery.match(face_of("Seed One").embedding[None], max_matches=1)[0]
    gallery.close()


def test_a_damaged_file_is_unavailable(tmp_path):
    """What SQLite cannot read is the disk's fault."""
    (tmp_path / "g.sqlite3").write_bytes(b"no database " * 100)
    with pytest.raises(GalleryUnavailableError, match="check its disk"):
        Database(f"sqlite:///{tmp_path / 'g.sqlite3'}")


def test_a_mistake_of_ours_is_not_blamed_on_the_disk(database_url):
    """A statement that is wrong will be as wrong the next time: nobody is told to try again."""
    database = Database(database_url)
    row = sa.insert(FACTS).values(name="name", value="value")
    with pytest.raises(sa.exc.IntegrityError):
        run(database, row, row)
    database.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_role_without_rights_is_unavailable(database_url):
    """PostgreSQL's "permission denied" is the operator's to mend, and told as such."""
    database = Database(database_url)
    statements = ("CREATE ROLE guest", "SET LOCAL ROLE guest", "SELECT * FROM public.facts")
    with pytest.raises(GalleryUnavailableError, match="permission denied"):
        run(database, *map(sa.text, statements))
    database.close()


def run(database, *statements):
    with database.writing() as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_read_only_data_directory_is_unavailable(tmp_path, seed):
    """A server that may not write its data directory says so and does not start."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o555)
    script = """
        import os, sys
        import sqlite3  # while it can still be read
        from model_server.errors import GalleryUnavailableError
        from model_server.gallery.database import Database

        if os.geteuid() == 0:
            os.setuid(65534)  # root may write everywhere
        try:
            Database(sys.argv[1])
        except GalleryUnavailableError as error:
            print(error.message)
    """
    for parent in [tmp_path, *tmp_path.parents[:2]]:
        parent.chmod(0o755)
    url = f"sqlite:///{folder / 'gallery.sqlite3'}"
    command = [sys.executable, "-c", textwrap.dedent(script), url]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "check its disk, its rights" in result.stdout
