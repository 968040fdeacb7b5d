import pytest
import sqlalchemy as sa

from tests.support.galleries import open_gallery, write_seed
from tests.support.postgres import find_postgres, running_postgres


@pytest.fixture(scope="session")
def postgres():
    if find_postgres() is None:
        pytest.skip("PostgreSQL is not installed: see tests/install_system_packages.sh")
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """URL of an empty database, of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'gallery.sqlite3'}"
        return
    server = request.getfixturevalue("postgres")
    engine = sa.create_engine(server.set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        # Emptied, not made anew: a database a test would take seconds on a busy machine.
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    yield server.render_as_string(hide_password=False)


@pytest.fixture
def seed(tmp_path):
    return write_seed(tmp_path / "seed")


@pytest.fixture
def gallery(database_url, seed):
    opened = open_gallery(database_url, seed, follow=False)
    yield opened
    opened.close()


@pytest.fixture
def library(tmp_path, seed):
    """On SQLite; nothing follows changes in the background."""
    gallery = open_gallery(f"sqlite:///{tmp_path / 'g.sqlite3'}", seed, follow=False)
    yield gallery
    gallery.close()
