"""The journal: no update lost, none answered twice."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from telegram import Bot, Update

from bots.telegram.journal import JournaledQueue, UpdateJournal

BOT = Bot("7:token")


def update(number: int, text: str = "hello") -> Update:
    sender = {"id": 1, "is_bot": False, "first_name": "P"}
    chat = {"id": 1, "type": "private"}
    message = {"message_id": 5, "date": 0, "chat": chat, "from": sender, "text": text}
    return Update.de_json({"update_id": number, "message": message}, BOT)


async def ids(queue: JournaledQueue) -> list[int]:
    found: list[Any] = [queue.get_nowait() for _ in range(queue.qsize())]
    return [item.update_id for item in found]


async def test_an_update_that_comes_again_is_not_put_in_line(tmp_path: Path) -> None:
    """Neither while it is worked on, nor when it was answered, nor after a restart."""
    journal = UpdateJournal(tmp_path / "bots.sqlite3", "7")
    queue = JournaledQueue(journal)
    await queue.put(update(1))
    await queue.put(update(1))
    assert await ids(queue) == [1]
    await journal.answered(update(1))
    await queue.put(update(1))
    await journal.close()
    journal = UpdateJournal(tmp_path / "bots.sqlite3", "7")
    queue = JournaledQueue(journal)
    await queue.put(update(1))
    await queue.put(update(2))
    assert await ids(queue) == [2]
    await journal.close()


async def test_what_a_crash_left_over_is_taken_up(tmp_path: Path) -> None:
    """Unanswered updates come again, oldest first, whole; answered ones do not."""
    path = tmp_path / "bots.sqlite3"
    journal = UpdateJournal(path, "7")
    queue = JournaledQueue(journal)
    for number in (3, 1, 2):
        await queue.put(update(number, f"text {number}"))
    await journal.answered(update(2))
    await journal.close()
    journal = UpdateJournal(path, "7")
    left = await journal.left_over(BOT)
    assert [(u.update_id, u.message.text if u.message else "") for u in left] == [
        (1, "text 1"),
        (3, "text 3"),
    ]
    await journal.close()


async def test_an_update_that_always_ends_the_process_is_given_up(tmp_path: Path) -> None:
    """Three tries, then the bot goes on without it."""
    path = tmp_path / "bots.sqlite3"
    tries = 0
    for _ in range(5):
        journal = UpdateJournal(path, "7")
        queue = JournaledQueue(journal)
        await queue.put(update(1))
        await queue.take_up(BOT)
        tries += len(await ids(queue))
        await journal.close()
    assert tries == 3


async def test_words_do_not_stay_on_disk(tmp_path: Path) -> None:
    """An answered message leaves only its number."""
    path = tmp_path / "bots.sqlite3"
    journal = UpdateJournal(path, "7")
    await journal.arrived(update(1, "a-very-rare-word"))
    await journal.answered(update(1))
    await journal.close()
    assert b"a-very-rare-word" not in path.read_bytes()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT id, content FROM telegram_updates").fetchall() == [
            (1, None)
        ]
    connection.close()


async def test_words_do_not_stay_on_disk_while_the_bot_runs(tmp_path: Path) -> None:
    """Nor in the database's own log: answered, a message is in none of its files."""
    journal = UpdateJournal(tmp_path / "bots.sqlite3", "7")
    updates = [update(number, f"a-very-rare-word {number}") for number in range(20)]
    for one in updates:
        await journal.arrived(one)
    await asyncio.gather(*(journal.answered(one) for one in updates))
    files = list(tmp_path.iterdir())  # noqa: ASYNC240
    assert len(files) > 1
    assert all(b"a-very-rare-word" not in file.read_bytes() for file in files)
    await journal.close()


async def test_old_numbers_are_dropped_while_the_bot_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only at its next start."""
    monkeypatch.setattr("bots.telegram.journal._PRUNED_EVERY", 10)
    monkeypatch.setattr("bots.telegram.journal._KEPT_S", -1)
    journal = UpdateJournal(tmp_path / "bots.sqlite3", "7")
    for number in range(25):
        await journal.arrived(update(number))
    rows = await journal._database.run("SELECT id FROM telegram_updates ORDER BY id")
    assert [number for (number,) in rows] == [19, 20, 21, 22, 23, 24]
    await journal.close()


async def test_bots_do_not_share_numbers(tmp_path: Path) -> None:
    """Another bot's update 1 is another update."""
    path = tmp_path / "bots.sqlite3"
    one, two = UpdateJournal(path, "7"), UpdateJournal(path, "8")
    assert await one.arrived(update(1))
    assert await two.arrived(update(1))
    assert not await two.arrived(update(1))
    await one.close()
    await two.close()


@pytest.mark.parametrize("item", [object(), "a custom update"])
async def test_what_is_no_update_passes(item: object) -> None:
    """The queue is the application's, too."""
    queue = JournaledQueue(UpdateJournal(None, "7"))
    await queue.put(item)
    assert queue.get_nowait() is item
