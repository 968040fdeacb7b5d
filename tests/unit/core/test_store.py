"""Settings that outlast a restart, on a disk that may fail."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from bots.core.answer import Asker, Mode
from bots.core.database import Database
from bots.core.store import Scope, SettingsStore


async def test_settings_outlast_a_restart(tmp_path: Path) -> None:
    """Language, mode and watched chats are there again."""
    path = tmp_path / "new folder" / "bots.sqlite3"
    asker = Asker("test", "me", "chat")
    async with SettingsStore(path, "test") as store:
        await store.put(Scope.USER, "me", "language", "hi")
        await store.put(Scope.USER, "me", "mode", "describe")
        await store.watch("chat", True)
    async with SettingsStore(path, "test") as store:
        assert await store.language("me") == "hi"
        assert await store.mode(asker) is Mode.DESCRIBE
        assert await store.is_watched("chat")
        await store.watch("chat", False)
        assert not await store.is_watched("chat")


async def test_forgetting_leaves_nothing_and_touches_nobody_else(tmp_path: Path) -> None:
    """Not in the table, and in no file either, whether the bot still runs or not."""
    path = tmp_path / "bots.sqlite3"
    async with SettingsStore(path, "test") as store:
        await store.put(Scope.USER, "me", "language", "a-very-rare-word")
        await store.put(Scope.USER, "other", "language", "hi")
        await store.forget(Scope.USER, "me")
        assert await store.language("me") is None
        assert await store.language("other") == "hi"
        for file in tmp_path.iterdir():  # noqa: ASYNC240
            assert b"a-very-rare-word" not in file.read_bytes()
    assert b"a-very-rare-word" not in path.read_bytes()


async def test_platforms_do_not_mix(tmp_path: Path) -> None:
    """The same id on two platforms is two people."""
    path = tmp_path / "bots.sqlite3"
    async with SettingsStore(path, "one") as one, SettingsStore(path, "two") as two:
        await one.put(Scope.USER, "me", "language", "hi")
        assert await two.language("me") is None


async def test_a_mode_of_a_newer_version_is_read_as_everything() -> None:
    """Unknown settings do no harm."""
    async with SettingsStore(None, "test") as store:
        await store.put(Scope.USER, "me", "mode", "telepathy")
        assert await store.mode(Asker("test", "me", "chat")) is Mode.FULL


async def test_a_disk_that_cannot_be_written_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The bot goes on in memory and says so."""
    blocked = tmp_path / "a file"
    blocked.write_text("no folder", encoding="utf-8")
    async with SettingsStore(blocked / "bots.sqlite3", "test") as store:
        await store.put(Scope.USER, "me", "language", "hi")
        assert await store.language("me") == "hi"
    assert "going on in memory" in caplog.text


async def test_a_disk_that_fails_later_is_done_without(tmp_path: Path) -> None:
    """The statement is carried out in memory instead."""
    path = tmp_path / "bots.sqlite3"
    database = Database(path, "CREATE TABLE IF NOT EXISTS t (x INTEGER);")
    await database.run("INSERT INTO t VALUES (1)")
    with sqlite3.connect(path) as other:
        other.execute("DROP TABLE t")
    other.close()
    await database.run("INSERT INTO t VALUES (2)")
    assert await database.run("SELECT x FROM t") == [(2,)]
    await database.close()
