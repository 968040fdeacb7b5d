"""Settings of people and chats: language, mode, watched channels. Nothing of any photo."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Self

from bots.core.answer import Asker, Mode
from bots.core.database import Database

__all__ = ["Scope", "SettingsStore"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (
    platform TEXT NOT NULL,
    scope TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (platform, scope, id, name)
) WITHOUT ROWID;
"""


class Scope(StrEnum):
    """Whose setting it is."""

    USER = "user"
    CHAT = "chat"
    BOT = "bot"
    """The bot's own, such as pictures that the platform keeps for it."""


class SettingsStore:
    """Named settings in SQLite; several bots may share the file.

    Args:
        path: Of the file; None keeps settings in memory.
        platform: Whose ids they are, such as ``"telegram"``.
    """

    def __init__(self, path: Path | None, platform: str) -> None:
        self._database = Database(path, _SCHEMA)
        self._platform = platform

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the file."""
        await self._database.close()

    async def get(self, scope: Scope, owner: str, name: str) -> str | None:
        """The setting, or None where it was never made."""
        rows = await self._database.run(
            "SELECT value FROM settings WHERE platform = ? AND scope = ? AND id = ? AND name = ?",
            (self._platform, scope, owner, name),
        )
        return str(rows[0][0]) if rows else None

    async def put(self, scope: Scope, owner: str, name: str, value: str | None) -> None:
        """Makes the setting; None removes it."""
        if value is None:
            await self._database.run(
                "DELETE FROM settings WHERE platform = ? AND scope = ? AND id = ? AND name = ?",
                (self._platform, scope, owner, name),
            )
        else:
            await self._database.run(
                "INSERT OR REPLACE INTO settings VALUES (?, ?, ?, ?, ?)",
                (self._platform, scope, owner, name, value),
            )

    async def forget(self, scope: Scope, owner: str) -> None:
        """Removes every setting of a person or chat."""
        await self._database.run(
            "DELETE FROM settings WHERE platform = ? AND scope = ? AND id = ?",
            (self._platform, scope, owner),
        )
        await self._database.wipe()

    async def language(self, user: str) -> str | None:
        """The language that somebody chose; None: that of their client."""
        return await self.get(Scope.USER, user, "language")

    async def mode(self, asker: Asker) -> Mode:
        """What somebody wants to know about photos."""
        try:
            return Mode(await self.get(Scope.USER, asker.user, "mode") or Mode.FULL)
        except ValueError:  # written by a newer version
            return Mode.FULL

    async def is_watched(self, chat: str) -> bool:
        """Whether every photo of the chat is to be answered."""
        return await self.get(Scope.CHAT, chat, "watched") == "yes"

    async def watch(self, chat: str, watched: bool) -> None:
        """Sets whether every photo of the chat is to be answered."""
        await self.put(Scope.CHAT, chat, "watched", "yes" if watched else None)
