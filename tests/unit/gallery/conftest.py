import itertools

import pytest
import sqlalchemy as sa

from tests.support.galleries import open_gallery, write_seed
from tests.support.postgres import find_postgres, running_postgres

_numbers = itertools.count()


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
    name = f"test_{next(_numbers)}"
    admin = server.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(admin, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield server.set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def seed(tmp_path):
    return write_seed(tmp_path / "seed")


@pytest.fixture
def gallery(database_url, seed):
    opened = open_gallery(database_url, seed, follow=False)
    yield opened
    opened.close()
