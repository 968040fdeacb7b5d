"""Replies as Telegram's messages: formatted, fitted, sent, edited."""

from __future__ import annotations

import contextlib
import html
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from telegram import (
    Bot,
    ForceReply,
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
V = TypeVar("V")

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


@dataclass(frozen=True, slots=True)
class _Sent:
    """A picture that Telegram has; ``asker`` is empty where it is nobody's own."""

    file_id: str
    asker: str


class Sender:
    """Sends replies, each picture's bytes only once.

    Args:
        bot: Telegram's.
        store: Keeps the file ids of portraits over a restart.
    """

    def __init__(self, bot: Bot, store: SettingsStore) -> None:
        self._bot = bot
        self._store = store
        self._sent: OrderedDict[str, _Sent] = OrderedDict()
        self._shown: OrderedDict[tuple[int, int], str] = OrderedDict()

    def file_id(self, key: str) -> str | None:
        """What Telegram calls the picture with that key, if it was sent."""
        sent = self._sent.get(key)
        return sent.file_id if sent else None

    def forget(self, key: str) -> None:
        """Forgets the pictures of the answer with that key."""
        for name in [name for name in self._sent if _answer_of(name) == key]:
            del self._sent[name]

    def forget_person(self, user: str) -> None:
        """Forgets the pictures of everything that somebody was answered."""
        for key in {_answer_of(name) for name, sent in self._sent.items() if sent.asker == user}:
            self.forget(key)

    def keyboard(self, reply: Reply) -> InlineKeyboardMarkup | None:
        """The reply's buttons."""
        if not reply.buttons:
            return None
        return InlineKeyboardMarkup([[self._button(b) for b in row] for row in reply.buttons])

    def _button(self, button: Button) -> InlineKeyboardButton:
        if button.action is Action.SHARE and self._bot.bot.supports_inline_queries:
            return InlineKeyboardButton(button.label, switch_inline_query=button.press.key)
        return InlineKeyboardButton(button.label, callback_data=button.press.data)

    async def answer(self, message: Message, reply: Reply, *, wants_reply: bool = False) -> Message:
        """Sends the reply as one to ``message``; as words alone where pictures are refused.

        Args:
            message: What it answers.
            reply: What to say.
            wants_reply: Opens a reply for whoever sent ``message``, in place of the buttons:
                in groups many bots are shown replies to them only.
        """
        thread = message.message_thread_id if message.is_topic_message else None
        quoted = ReplyParameters(message.message_id, allow_sending_without_reply=True)
        markup = ForceReply(selective=True) if wants_reply else self.keyboard(reply)
        if reply.picture is not None:
            try:
                return await self._send_picture(message, reply, reply.picture, quoted, thread)
            except BadRequest as error:
                log.warning("a picture is refused (%s): sending the words", error.message)
        text = to_html(fit_lines(reply.lines, MessageLimit.MAX_TEXT_LENGTH))

        async def send_text() -> Message:
            return await self._bot.send_message(
                message.chat_id,
                text,
                parse_mode=ParseMode.HTML,
                reply_markup=markup,
                reply_parameters=quoted,
                message_thread_id=thread,
            )

        return await persistently(send_text)

    async def _send_picture(
        self,
        message: Message,
        reply: Reply,
        picture: Picture,
        quoted: ReplyParameters,
        thread: int | None,
    ) -> Message:
        keyboard = self.keyboard(reply)
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
        await self._remember(sent, picture, message)
        return sent

    async def edit(self, message: Message, reply: Reply) -> None:
        """Turns a message of ours into the reply."""
        with contextlib.suppress(_NotModified):
            if reply.picture is not None and not self._shows(message, reply.picture):
                try:
                    await self._edit_media(message, reply, reply.picture)
                except (NotImplementedByServer, BadRequest) as error:
                    log.warning("the picture is not changed (%s): changing the words", error)
                else:
                    return
            await self._edit_text(message, reply)

    async def _edit_media(self, message: Message, reply: Reply, picture: Picture) -> None:
        caption = to_html(fit_lines(reply.lines, MessageLimit.CAPTION_LENGTH))

        async def edit(photo: str | bytes) -> Message | bool:
            media = InputMediaPhoto(
                photo,
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

        edited: Message | bool = False
        if known := await self._known(picture):
            # Telegram may have dropped what it once had.
            with contextlib.suppress(BadRequest):
                edited = await _modifying(lambda: edit(known))
        if not edited:
            edited = await _modifying(lambda: edit(picture.content))
        if isinstance(edited, Message):
            await self._remember(edited, picture, message.reply_to_message)

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
        known = self.file_id(picture.key)
        if known is None and picture.public:
            known = await self._store.get(Scope.BOT, "file_id", picture.key)
        return known

    async def _remember(self, sent: Message, picture: Picture, asked: Message | None) -> None:
        if not picture.key or not sent.photo:
            return
        file_id = sent.photo[-1].file_id
        if self.file_id(picture.key) != file_id and picture.public:
            await self._store.put(Scope.BOT, "file_id", picture.key, file_id)
        asker = str(asked.from_user.id) if asked and asked.from_user else ""
        _put(self._sent, picture.key, _Sent(file_id, "" if picture.public else asker))
        _put(self._shown, (sent.chat_id, sent.message_id), picture.key)


def _put(cache: OrderedDict[K, V], key: K, value: V) -> None:
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > _REMEMBERED:
        cache.popitem(last=False)


def _answer_of(picture_key: str) -> str:
    return picture_key.partition(".")[0]


class _NotModified(Exception):  # noqa: N818
    """The message is already as it should be."""


async def _modifying(edit: Callable[[], Awaitable[Message | bool]]) -> Message | bool:
    try:
        return await persistently(edit)
    except BadRequest as error:
        if "not modified" in error.message.lower():
            raise _NotModified from None
        raise
