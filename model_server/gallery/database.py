"""How the gallery's database is opened: SQLite or PostgreSQL, its schema brought up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from psycopg.errors import InsufficientPrivilege
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from model_server.errors import GalleryUnavailableError

__all__ = ["Database"]

HEAD = "0002"
"""The newest migration; a test compares it with the folder."""

_LOCK = 7_217_902_381_552_310_447
"""Number of the advisory lock under which PostgreSQL is migrated."""

_MISTAKES = (DataError, IntegrityError, NotSupportedError, ProgrammingError)
"""What a statement can do wrong: trying again does not help, nor does another disk."""

_CONNECT_TIMEOUT_S = 5
_BUSY_TIMEOUT_S = 20


class Database:
    """A database whose schema is up to date. Thread-safe.

    Args:
        url: SQLAlchemy URL, ``sqlite:///…`` or ``postgresql://…``.

    Raises:
        GalleryUnavailableError: It does not answer, or cannot be written.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            # The URL holds a password: it is not repeated.
            raise GalleryUnavailableError(
                "LOOKALIKE_DATABASE_URL is not a URL such as sqlite:///gallery.sqlite3 "
                "or postgresql://user@host/name"
            ) from None
        if parsed.drivername in {"postgres", "postgresql"}:
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.url = parsed
        self.engine = _sqlite_engine(parsed) if self.is_sqlite else _postgresql_engine(parsed)
        with self.translating():
            self._migrate()

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()

    @contextmanager
    def translating(self) -> Iterator[None]:
        """Turns the driver's errors into ours; those that a mistake of ours makes stay theirs.

        Raises:
            GalleryUnavailableError: The database does not answer, is damaged or cannot be written.
        """
        try:
            yield
        except (DBAPIError, PoolTimeoutError) as error:
            if isinstance(error, _MISTAKES) and not _is_forbidden(error):
                raise
            raise GalleryUnavailableError(
                f"the gallery's database cannot be used ({_reason(error)}): "
                "check its disk, its rights and its address",
                retry_after_s=5.0,
            ) from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database."""
        with self.translating(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes: all of it, or nothing."""
        # On SQLite the lock is taken at once, lest two that read first wait for each other;
        # on PostgreSQL a writer must see what the one before it wrote.
        options: dict[str, Any] = (
            {"lookalike_write": True} if self.is_sqlite else {"isolation_level": "READ COMMITTED"}
        )
        with self.translating(), self.engine.connect() as connection:
            connection.execution_options(**options)
            with connection.begin():
                yield connection

    def _migrate(self) -> None:
        if self._schema_version() == HEAD:
            return
        # Alembic is imported only where there is something to do: it costs a third of a second.
        from alembic import command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self.writing() as connection:
            if not self.is_sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _schema_version(self) -> str | None:
        with self.engine.connect() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            version = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
            return str(version) if version else None


def _postgresql_engine(url: sa.URL) -> Engine:
    return sa.create_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=_CONNECT_TIMEOUT_S,
        isolation_level="REPEATABLE READ",
        connect_args={"connect_timeout": _CONNECT_TIMEOUT_S},
    )


def _sqlite_engine(url: sa.URL) -> Engine:
    if url.database and url.database != ":memory:" and not url.database.startswith("file:"):
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GalleryUnavailableError(
                f"the data directory cannot be made ({error.strerror}): "
                "set LOOKALIKE_DATA_DIR to one that can be written"
            ) from error
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_S})

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        # Transactions are begun by us, below, and not by the driver's own rules.
        connection.isolation_level = None
        # Readers do not wait for the writer, and a killed process loses nothing committed.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("lookalike_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _is_forbidden(error: DBAPIError) -> bool:
    """Whether PostgreSQL refuses for want of rights, which counts as the statement's mistake."""
    return isinstance(error.orig, InsufficientPrivilege)


def _reason(error: Exception) -> str:
    """The driver's own words, such as "disk is full"; no statement, no values, no address."""
    original = getattr(error, "orig", None)
    if original is None:
        return "no free connection"
    lines = str(original).strip().splitlines()
    first = lines[0] if lines else type(original).__name__
    return "no connection" if "connection" in first else first
