"""A small SQLite file that an event loop can use: one thread, one connection."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

__all__ = ["Database"]

log = logging.getLogger(__name__)


class Database:
    """A SQLite file; opened with the first statement.

    Where the file cannot be written (a read-only or full disk), it goes on in memory and
    says so in the log: a bot that forgets settings is better than none.

    Args:
        path: Of the file; None keeps everything in memory.
        schema: Statements that make the tables, fit to run again.
    """

    def __init__(self, path: Path | None, schema: str) -> None:
        self._path = path
        self._schema = schema
        self._connection: sqlite3.Connection | None = None
        # One thread: statements run in the order in which they were given.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database")

    async def run(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Runs one statement in a transaction of its own; returns its rows."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._run, statement, values)

    async def wipe(self) -> None:
        """Empties SQLite's log of what was written, which still holds what was deleted.

        Where another process is reading just now, the next call does it.
        """
        await self.run("PRAGMA wal_checkpoint(TRUNCATE)")

    async def close(self) -> None:
        """Closes the file."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _run(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = self._open()
        try:
            with self._connection as connection:
                return connection.execute(statement, values).fetchall()
        except sqlite3.OperationalError as error:
            if self._path is None:
                raise
            # The values may be somebody's words: only the error itself is told.
            log.warning("%s cannot be written (%s): going on in memory", self._path.name, error)
            self._close()
            self._path = None
            self._connection = self._open()
            with self._connection as connection:
                return connection.execute(statement, values).fetchall()

    def _open(self) -> sqlite3.Connection:
        if self._path is not None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                return self._prepare(sqlite3.connect(self._path, timeout=5.0))
            except (OSError, sqlite3.Error) as error:
                log.warning("%s cannot be opened (%s): going on in memory", self._path.name, error)
                self._path = None
        return self._prepare(sqlite3.connect(":memory:"))

    def _prepare(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        # Several bots share the file; what is deleted is overwritten, not just unlinked.
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.executescript(self._schema)
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
