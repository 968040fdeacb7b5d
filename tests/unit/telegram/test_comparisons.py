"""Comparisons: two photos, however they come."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bots.core.answer import Asker
from bots.core.store import SettingsStore
from bots.telegram import comparisons
from bots.telegram.comparisons import Comparisons
from bots.telegram.files import Attachment

ASKER = Asker("telegram", "1", "-100", group=True)
RED, BLUE = Attachment("red"), Attachment("blue")


async def test_photos_that_come_at_once_see_each_other() -> None:
    """One of two waits for the second, the other ends the comparison; a third is none of it."""
    async with SettingsStore(None, "telegram") as store:
        waiting = Comparisons(store)
        assert await waiting.add(ASKER, [RED]) == []
        await waiting.begin(ASKER)
        first, both = await asyncio.gather(waiting.add(ASKER, [RED]), waiting.add(ASKER, [BLUE]))
        assert (first, both) == ([RED], [RED, BLUE])
        assert await waiting.add(ASKER, [RED]) == []


async def test_a_comparison_is_one_persons_in_one_chat() -> None:
    """Neither somebody else's photo nor one in another chat is taken for it."""
    async with SettingsStore(None, "telegram") as store:
        waiting = Comparisons(store)
        await waiting.begin(ASKER, RED)
        assert await waiting.add(replace(ASKER, user="2"), [BLUE]) == []
        assert await waiting.add(replace(ASKER, chat="1"), [BLUE]) == []
        assert await waiting.add(ASKER, []) == []
        assert await waiting.add(ASKER, [BLUE]) == [RED, BLUE]


async def test_a_comparison_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes later a photo is just a photo."""
    async with SettingsStore(None, "telegram") as store:
        waiting = Comparisons(store)
        await waiting.begin(ASKER)
        monkeypatch.setattr(comparisons, "_WAITS_S", -10)
        assert await waiting.add(ASKER, [RED]) == []
        monkeypatch.undo()
        assert await waiting.add(ASKER, [RED]) == []
