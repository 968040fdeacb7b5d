"""No update is lost and none is answered twice, whatever ends the process.

Telegram counts an update as delivered when the next ones are asked for, long before it is
answered. So every update is written down when it arrives and struck out when it has been
answered; what a crash left over is taken up at the next start. An update that comes again
(a webhook's retry, or polling that was cut off) is recognised by its id.

An update holds the message's text and ids of files, never a photo. As soon as it is answered
nothing of it is left in the database's files but its number, for two days.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any

from telegram import Bot, Update
from telegram.ext import Application

from bots.core.database import Database

__all__ = ["JournaledApplication", "JournaledQueue", "UpdateJournal"]

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS telegram_updates (
    bot TEXT NOT NULL,
    id INTEGER NOT NULL,
    arrived REAL NOT NULL,
    tries INTEGER NOT NULL,
    content TEXT,
    PRIMARY KEY (bot, id)
) WITHOUT ROWID;
"""
_KEPT_S = 48 * 3600
"""Telegram itself keeps updates for 24 hours."""
_PRUNED_EVERY = 1000
"""Updates."""
_MOST_TRIES = 3
"""An update that ends the process this often is given up."""


class UpdateJournal:
    """Which updates have arrived, and which have been answered.

    Args:
        path: Of the SQLite file; None keeps it in memory.
        bot: Id of the bot, for ids of updates are its own.
    """

    def __init__(self, path: Path | None, bot: str) -> None:
        self._database = Database(path, _SCHEMA)
        self._bot = bot
        self._arrivals = 0
        self._wiping = False

    async def close(self) -> None:
        """Closes the file."""
        await self._database.close()

    async def arrived(self, update: Update) -> bool:
        """Writes the update down; False where it has been already."""
        self._arrivals += 1
        if self._arrivals % _PRUNED_EVERY == 0:
            await self._prune()
        rows = await self._database.run(
            "INSERT INTO telegram_updates VALUES (?, ?, ?, 1, ?) "
            "ON CONFLICT DO NOTHING RETURNING id",
            (self._bot, update.update_id, time.time(), update.to_json()),
        )
        return bool(rows)

    async def answered(self, update: Update) -> None:
        """Strikes the update out; only its number stays, for two days."""
        await self._database.run(
            "UPDATE telegram_updates SET content = NULL WHERE bot = ? AND id = ?",
            (self._bot, update.update_id),
        )
        # Statements run in their order: one wiping that is still in line does for all before it.
        if not self._wiping:
            self._wiping = True
            try:
                await self._database.wipe()
            finally:
                self._wiping = False

    async def left_over(self, bot: Bot) -> list[Update]:
        """Updates that an earlier process did not come to answer, oldest first."""
        await self._prune()
        await self._database.run(
            "UPDATE telegram_updates SET content = NULL WHERE bot = ? AND tries >= ?",
            (self._bot, _MOST_TRIES),
        )
        rows = await self._database.run(
            "UPDATE telegram_updates SET tries = tries + 1 WHERE bot = ? AND content IS NOT NULL "
            "RETURNING id, content",
            (self._bot,),
        )
        contents = [content for _, content in sorted(rows)]
        return [Update.de_json(json.loads(content), bot) for content in contents]

    async def _prune(self) -> None:
        await self._database.run(
            "DELETE FROM telegram_updates WHERE bot = ? AND arrived < ?",
            (self._bot, time.time() - _KEPT_S),
        )


class JournaledQueue(asyncio.Queue[object]):
    """The queue between what receives updates and what answers them."""

    def __init__(self, journal: UpdateJournal) -> None:
        super().__init__()
        self._journal = journal

    async def put(self, item: object) -> None:
        """Puts an update in line, once."""
        if isinstance(item, Update) and not await self._journal.arrived(item):
            log.info("update %d has come before", item.update_id)
            return
        await super().put(item)

    async def take_up(self, bot: Bot) -> None:
        """Puts in line what an earlier process left."""
        for update in await self._journal.left_over(bot):
            log.info("taking up update %d", update.update_id)
            await super().put(update)


class JournaledApplication(Application[Any, Any, Any, Any, Any, Any]):
    """Strikes out each update once its handlers have returned."""

    __slots__ = ("_journal",)

    def __init__(self, *, journal: UpdateJournal, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._journal = journal

    async def process_update(self, update: object) -> None:
        """As the base class does; an update whose work is cancelled stays written down."""
        await super().process_update(update)
        if isinstance(update, Update):
            await self._journal.answered(update)
