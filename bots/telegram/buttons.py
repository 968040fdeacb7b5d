"""Pressed buttons: pages, details, voice, delete; and the card shared into other chats."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from telegram import CallbackQuery, InlineQueryResultCachedPhoto, Message, ReplyParameters, Update
from telegram.constants import ChatAction
from telegram.error import BadRequest, TelegramError

from bots.core.answer import Asker, Mode
from bots.core.languages import Texts, texts_for
from bots.core.reply import Action, Press, Reply, ReplyKind
from bots.core.speech import SpeechUnavailable
from bots.telegram.commands import CommandHandlers
from bots.telegram.files import attachment_of, download
from bots.telegram.persistence import persistently
from bots.telegram.photos import PhotoHandlers
from bots.telegram.service import Service, acknowledge

__all__ = ["ButtonHandlers"]

log = logging.getLogger(__name__)


class ButtonHandlers:
    """Does what buttons say.

    Args:
        service: The shared parts.
        photos: Answers a photo anew.
        commands: Knows the buttons of the settings.
    """

    def __init__(self, service: Service, photos: PhotoHandlers, commands: CommandHandlers) -> None:
        self._service = service
        self._photos = photos
        self._commands = commands

    async def on_press(self, update: Update, _context: Any) -> None:
        """A button under one of our messages."""
        query = update.callback_query
        if query is None or not query.data:
            return
        asker = await self._service.asker(update)
        texts = texts_for(asker.language)
        message = query.message if isinstance(query.message, Message) else None
        if message is None:  # too old for Telegram to say what it was
            await acknowledge(query, texts("This message is too old. Please send the photo again."))
            return
        if await self._commands.on_setting(query, message, asker):
            return
        try:
            press = Press.parse(query.data)
        except ValueError:
            await acknowledge(query)
            return
        if press.action is Action.DELETE:
            await self._delete(query, message, press, asker, texts)
        elif press.action is Action.SHARE:
            await acknowledge(query, texts("Press and hold the picture, then choose Forward."))
        elif press.action is Action.SPEAK:
            await self._speak(query, message, press, texts)
        elif press.action is Action.RETRY:
            await self._retry(query, message, asker)
        else:
            await self._turn(query, message, asker)

    async def on_inline(self, update: Update, _context: Any) -> None:
        """The share button asks for a card by its key, to put it into another chat."""
        query = update.inline_query
        if query is None:
            return
        file_id = self._service.sender.file_id(f"{query.query.strip()}.o")
        results = (
            [InlineQueryResultCachedPhoto(query.query.strip()[:64], file_id)] if file_id else []
        )
        with contextlib.suppress(TelegramError):  # the question was too long ago
            await query.answer(results, cache_time=0, is_personal=True)

    async def _turn(self, query: CallbackQuery, message: Message, asker: Asker) -> None:
        source = message.reply_to_message

        async def photos() -> Sequence[bytes]:
            attachment = attachment_of(source)
            return [await download(self._service.bot, attachment)] if attachment else []

        has_photo = attachment_of(source) is not None
        reply = await self._service.desk.handle_press(
            asker,
            query.data or "",
            photos=photos if has_photo else None,
            owner=_sender_of(source),
        )
        if reply.kind in {ReplyKind.NOTICE, ReplyKind.LIMITED, ReplyKind.ERROR}:
            await acknowledge(query, reply.text, alert=True)
            return
        await acknowledge(query)
        await self._service.sender.edit(message, reply)

    async def _delete(
        self, query: CallbackQuery, message: Message, press: Press, asker: Asker, texts: Texts
    ) -> None:
        # The message that was answered tells for ever who asked; the desk forgets.
        owner = _sender_of(message.reply_to_message)
        own = owner == asker.user if owner else self._service.desk.may_delete(asker, press.data)
        if not own and not await self._service.may_change(message.chat, query.from_user):
            text = texts("Only the person who asked can delete this answer.")
            await acknowledge(query, text, alert=True)
            return
        self._service.desk.answers.drop(press.key)
        self._service.sender.forget(press.key)
        try:
            await persistently(message.delete)
        except BadRequest as error:
            if "not found" not in error.message.lower():  # over two days old
                with contextlib.suppress(TelegramError):
                    await message.edit_reply_markup(None)
                text = texts(
                    "I have forgotten this answer, but Telegram no longer lets me delete the "
                    "message."
                )
                await acknowledge(query, text, alert=True)
                return
        await acknowledge(query, texts("Deleted. Nothing of the photo was kept."))

    async def _speak(
        self, query: CallbackQuery, message: Message, press: Press, texts: Texts
    ) -> None:
        spoken = self._service.desk.spoken_text(press.key, texts.language)
        if spoken is None:
            text = texts("I no longer remember this answer. Please send the photo again.")
            await acknowledge(query, text, alert=True)
            return
        await acknowledge(query)
        async with self._service.signs.working(message, ChatAction.RECORD_VOICE):
            caption, rest = spoken
            try:
                voice = await self._service.speaker.speak([("en", caption), (texts.language, rest)])
            except SpeechUnavailable as error:
                log.warning("speech: %s", error)
                text = texts("I cannot speak here: the operator has not set up a voice.")
                await persistently(lambda: message.reply_text(text))
                return
            thread = message.message_thread_id if message.is_topic_message else None
            quoted = ReplyParameters(message.message_id, allow_sending_without_reply=True)
            await persistently(
                lambda: self._service.bot.send_voice(
                    message.chat_id,
                    voice,
                    reply_parameters=quoted,
                    message_thread_id=thread,
                    filename="lookalike.ogg",
                )
            )

    async def _retry(self, query: CallbackQuery, message: Message, asker: Asker) -> None:
        source = message.reply_to_message
        texts = texts_for(asker.language)
        if source is None or attachment_of(source) is None:
            await acknowledge(query, texts("Please send the photo again."), alert=True)
            return
        await acknowledge(query)
        async with self._service.signs.working(message):
            mode: Mode = await self._service.store.mode(asker)
            reply: Reply | None = await self._photos.reply(asker, [source], mode)
            if reply is not None:
                await self._service.sender.edit(message, reply)


def _sender_of(message: Message | None) -> str:
    """Id of who wrote the message; empty where that is not known."""
    return str(message.from_user.id) if message and message.from_user else ""
