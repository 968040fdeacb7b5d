"""Signs of work."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from telegram import Chat, Message
from telegram.error import NetworkError

from bots.telegram import signs
from bots.telegram.signs import WorkSigns


class FakeBot:
    """Counts the signs that it is to show."""

    def __init__(self, *, broken: bool = False) -> None:
        self.shown: list[int] = []
        self.broken = broken

    async def send_chat_action(self, chat: int, _action: str, **_: Any) -> None:
        self.shown.append(chat)
        if self.broken:
            raise NetworkError("gone")


def message(chat: int = 1) -> Message:
    return Message(1, None, Chat(chat, "private"))  # type: ignore[arg-type]


async def test_a_chat_shows_one_sign_however_much_is_done() -> None:
    """Three photos of one chat, one of another: two signs, and none stays behind."""
    bot = FakeBot()
    work = WorkSigns(bot)  # type: ignore[arg-type]
    async with work.working(message()), work.working(message()), work.working(message(2)):
        await asyncio.sleep(0)
        async with work.working(message()):
            await asyncio.sleep(0)
    assert sorted(bot.shown) == [1, 2]
    assert work._shown == {}


async def test_the_sign_is_shown_as_long_as_the_work_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Again and again, even where Telegram does not take it; then no more."""
    monkeypatch.setattr(signs, "_LASTS_S", 0.0)
    bot = FakeBot(broken=True)
    work = WorkSigns(bot)  # type: ignore[arg-type]
    async with work.working(message()):
        for _ in range(20):
            await asyncio.sleep(0)
    shown = len(bot.shown)
    assert shown > 2
    await asyncio.sleep(0.01)
    assert len(bot.shown) == shown
