"""Replies as Telegram's messages: formatted, fitted, sent, edited."""

from __future__ import annotations

import contextlib
import html
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    Message,
    ReplyParameters,
)
from telegram.constants import MessageLimit, ParseMode
from telegram.error import BadRequest

from bots.core.reply import Action, Button, Line, LineKind, Picture, Reply, fit_lines
from bots.core.store import Scope, SettingsStore
from bots.telegram.persistence import NotImplementedByServer, persistently

__all__ = ["Sender", "to_html"]

log = logging.getLogger(__name__)

K = TypeVar("K")

_REMEMBERED = 5000
_STYLES = {LineKind.TITLE: "b", LineKind.CAPTION: "i", LineKind.FACE: "b"}


def to_html(lines: Iterable[Line]) -> str:
    """Lines with their kinds set off from each other, everything else escaped."""
    parts: list[str] = []
    for line in lines:
        if parts:
            parts.append("\n\n" if line.kind in {LineKind.TITLE, LineKind.FACE} else "\n")
        text = html.escape(line.text, quote=False)
        style = _STYLES.get(line.kind)
        parts.append(f"<{style}>{text}</{style}>" if style else text)
    return "".join(parts)


class Sender:
    """Sends replies, each picture's bytes only once.

    Args:
        bot: Telegram's.
        store: Keeps the file ids of portraits over a restart.
    """

    def __init__(self, bot: Bot, store: SettingsStore) -> None:
        self._bot = bot
        self._store = store
        self._file_ids: OrderedDict[str, str] = OrderedDict()
        self._shown: OrderedDict[tuple[int, int], str] = OrderedDict()

    def file_id(self, key: str) -> str | None:
        """What Telegram calls the picture with that key, if it was sent."""
        return self._file_ids.get(key)

    def keyboard(self, reply: Reply) -> InlineKeyboardMarkup | None:
        """The reply's buttons."""
        if not reply.buttons:
            return None
        return InlineKeyboardMarkup([[self._button(b) for b in row] for row in reply.buttons])

    def _button(self, button: Button) -> InlineKeyboardButton:
        if button.action is Action.SHARE and self._bot.bot.supports_inline_queries:
            return InlineKeyboardButton(button.label, switch_inline_query=button.press.key)
        return InlineKeyboardButton(button.label, callback_data=button.press.data)

    async def answer(self, message: Message, reply: Reply) -> Message:
        """Sends the reply as one to ``message``."""
        thread = message.message_thread_id if message.is_topic_message else None
        quoted = ReplyParameters(message.message_id, allow_sending_without_reply=True)
        keyboard = self.keyboard(reply)
        picture = reply.picture
        if picture is None:
            text = to_html(fit_lines(reply.lines, MessageLimit.MAX_TEXT_LENGTH))

            async def send_text() -> Message:
                return await self._bot.send_message(
                    message.chat_id,
                    text,
                    parse_mode=ParseMode.HTML,
                    reply_markup=keyboard,
                    reply_parameters=quoted,
                    message_thread_id=thread,
                )

            return await persistently(send_text)
        caption = to_html(fit_lines(reply.lines, MessageLimit.CAPTION_LENGTH))

        async def send_photo(photo: str | bytes) -> Message:
            return await self._bot.send_photo(
                message.chat_id,
                photo,
                caption=caption,
                parse_mode=ParseMode.HTML,
                has_spoiler=reply.spoiler or None,
                reply_markup=keyboard,
                reply_parameters=quoted,
                message_thread_id=thread,
                filename=picture.file_name,
            )

        sent = None
        if known := await self._known(picture):
            # Telegram may have dropped what it once had.
            with contextlib.suppress(BadRequest):
                sent = await persistently(lambda: send_photo(known))
        if sent is None:
            sent = await persistently(lambda: send_photo(picture.content))
        await self._remember(sent, picture)
        return sent

    async def edit(self, message: Message, reply: Reply) -> None:
        """Turns a message of ours into the reply."""
        with contextlib.suppress(_NotModified):
            if reply.picture is not None and not self._shows(message, reply.picture):
                try:
                    await self._edit_media(message, reply, reply.picture)
                except NotImplementedByServer:
                    log.warning("this Bot API server cannot change pictures: changing the words")
                else:
                    return
            await self._edit_text(message, reply)

    async def _edit_media(self, message: Message, reply: Reply, picture: Picture) -> None:
        caption = to_html(fit_lines(reply.lines, MessageLimit.CAPTION_LENGTH))
        known = await self._known(picture)

        async def edit() -> Message | bool:
            media = InputMediaPhoto(
                known or picture.content,
                caption=caption,
                parse_mode=ParseMode.HTML,
                has_spoiler=reply.spoiler or None,
                filename=picture.file_name,
            )
            return await self._bot.edit_message_media(
                media,
                message.chat_id,
                message.message_id,
                reply_markup=self.keyboard(reply),
            )

        edited = await _modifying(edit)
        if isinstance(edited, Message):
            await self._remember(edited, picture)

    async def _edit_text(self, message: Message, reply: Reply) -> None:
        has_caption = bool(message.photo)
        limit = MessageLimit.CAPTION_LENGTH if has_caption else MessageLimit.MAX_TEXT_LENGTH
        text = to_html(fit_lines(reply.lines, limit))

        async def edit() -> Message | bool:
            if has_caption:
                return await self._bot.edit_message_caption(
                    message.chat_id,
                    message.message_id,
                    caption=text,
                    parse_mode=ParseMode.HTML,
                    reply_markup=self.keyboard(reply),
                )
            return await self._bot.edit_message_text(
                text,
                message.chat_id,
                message.message_id,
                parse_mode=ParseMode.HTML,
                reply_markup=self.keyboard(reply),
            )

        await _modifying(edit)

    def _shows(self, message: Message, picture: Picture) -> bool:
        return self._shown.get((message.chat_id, message.message_id)) == picture.key != ""

    async def _known(self, picture: Picture) -> str | None:
        if not picture.key:
            return None
        known = self._file_ids.get(picture.key)
        if known is None and picture.public:
            known = await self._store.get(Scope.BOT, "file_id", picture.key)
        return known

    async def _remember(self, message: Message, picture: Picture) -> None:
        if not picture.key or not message.photo:
            return
        file_id = message.photo[-1].file_id
        if self._file_ids.get(picture.key) != file_id and picture.public:
            await self._store.put(Scope.BOT, "file_id", picture.key, file_id)
        _put(self._file_ids, picture.key, file_id)
        _put(self._shown, (message.chat_id, message.message_id), picture.key)


def _put(cache: OrderedDict[K, str], key: K, value: str) -> None:
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > _REMEMBERED:
        cache.popitem(last=False)


class _NotModified(Exception):  # noqa: N818
    """The message is already as it should be."""


async def _modifying(edit: Callable[[], Awaitable[Message | bool]]) -> Message | bool:
    try:
        return await persistently(edit)
    except BadRequest as error:
        if "not modified" in error.message.lower():
            raise _NotModified from None
        raise
