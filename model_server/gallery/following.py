"""Notices when others change the gallery: LISTEN/NOTIFY on PostgreSQL, polling on SQLite."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import psycopg
from psycopg import sql

from model_server.errors import LookalikeError
from model_server.gallery.database import Database
from model_server.gallery.store import CHANNEL

__all__ = ["Follower"]

log = logging.getLogger(__name__)

POLL_S = 0.4
"""On SQLite: reading one number is cheap, and a change is to be seen within a second."""

_LISTEN_S = 5.0
"""On PostgreSQL a look without being told, should a message be lost with a connection."""

_RETRY_S = 1.0


class Follower:
    """A thread that calls ``refresh`` soon after every change.

    Args:
        database: Of the gallery.
        refresh: Takes the changes in; called too often rather than too seldom.
    """

    def __init__(self, database: Database, refresh: Callable[[], None]) -> None:
        self._database = database
        self._refresh = refresh
        self._stop = threading.Event()
        self._listening: psycopg.Connection | None = None
        target = self._poll if database.is_sqlite else self._listen
        self._thread = threading.Thread(target=target, name="gallery-follower", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops following."""
        self._stop.set()
        self._thread.join()

    def _poll(self) -> None:
        while not self._stop.wait(POLL_S):
            self._try_refresh()

    def _listen(self) -> None:
        url = self._database.url.set(drivername="postgresql")
        address = url.render_as_string(hide_password=False)
        while not self._stop.is_set():
            try:
                with psycopg.connect(address, autocommit=True, connect_timeout=5) as connection:
                    connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
                    self._wait(connection)
            except psycopg.Error as error:
                log.warning(
                    "the gallery's database cannot be listened to: %s", type(error).__name__
                )
                self._stop.wait(_RETRY_S)

    def _wait(self, connection: psycopg.Connection) -> None:
        quiet_s = 0.0
        # What changed before LISTEN nobody told us.
        self._try_refresh()
        while not self._stop.is_set():
            told = list(connection.notifies(timeout=POLL_S, stop_after=1))
            quiet_s = 0.0 if told else quiet_s + POLL_S
            if told or quiet_s >= _LISTEN_S:
                quiet_s = 0.0
                self._try_refresh()

    def _try_refresh(self) -> None:
        try:
            self._refresh()
        except LookalikeError as error:
            log.warning("the gallery cannot be followed: %s", error.message)
        except Exception:  # a thread that dies unheard would leave the replica stale for ever
            log.exception("the gallery cannot be followed")
