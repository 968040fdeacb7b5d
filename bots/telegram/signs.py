"""Signs of work: "sending a photo…" at the top of a chat while the bot is busy with it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from telegram import Bot, Message
from telegram.constants import ChatAction
from telegram.error import TelegramError

__all__ = ["WorkSigns"]

_LASTS_S = 4.5
"""Telegram shows a chat action for five seconds."""

_Place = tuple[int, int | None]


class WorkSigns:
    """Shows the sign once for each chat, however many photos of it are worked on.

    Args:
        bot: Telegram's.
    """

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._shown: dict[_Place, tuple[int, asyncio.Task[None]]] = {}

    @asynccontextmanager
    async def working(
        self, message: Message, action: ChatAction = ChatAction.UPLOAD_PHOTO
    ) -> AsyncIterator[None]:
        """Shows the sign in the message's chat as long as the block runs."""
        place = (
            message.chat_id,
            message.message_thread_id if message.is_topic_message else None,
        )
        count, task = self._shown.get(place, (0, None))
        if task is None:
            task = asyncio.create_task(self._show(place, action))
        self._shown[place] = (count + 1, task)
        try:
            yield
        finally:
            count, task = self._shown[place]
            if count > 1:
                self._shown[place] = (count - 1, task)
            else:
                del self._shown[place]
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _show(self, place: _Place, action: ChatAction) -> None:
        chat, thread = place
        while True:
            with contextlib.suppress(TelegramError):  # a courtesy, no more
                await self._bot.send_chat_action(chat, action, message_thread_id=thread)
            await asyncio.sleep(_LASTS_S)
