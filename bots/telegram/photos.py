"""Photos: when to answer, albums brought together, two photos compared."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from typing import Any

from telegram import Message, Update

from bots.core.answer import Asker, Mode
from bots.core.errors import BadPhoto
from bots.core.languages import texts_for
from bots.core.limits import FairQueue, QueueFull
from bots.core.notices import error_reply, limited_reply, notice
from bots.core.reply import Reply, ReplyKind
from bots.telegram.albums import AlbumCollector
from bots.telegram.files import Attachment, attachment_of, download
from bots.telegram.service import Service, is_for_us, is_mentioned, picture_source

__all__ = ["PhotoHandlers"]

log = logging.getLogger(__name__)

_COMMAND = re.compile(r"/(compare|lookalike|describe)\b(?:@(\w+))?", re.IGNORECASE)


class PhotoHandlers:
    """Answers messages that carry a picture, or that reply to one.

    Args:
        service: The shared parts.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._albums: AlbumCollector[Message] = AlbumCollector(
            service.settings.telegram_album_wait_s
        )
        # One photo is at the server while the next is downloaded or an answer drawn.
        self._queue = FairQueue(2 * service.settings.calls_at_once, service.settings.queue_per_user)

    async def on_photo(self, update: Update, _context: Any) -> None:
        """A message with a picture."""
        message = update.message
        if message is None:
            return
        if message.media_group_id is None:
            await self._on_messages(update, [message])
            return
        key = f"{message.chat_id}/{message.media_group_id}"
        album = await self._albums.join(key, message)
        if album is not None:
            with album:
                await self._on_messages(
                    update, sorted(album.items, key=lambda item: item.message_id)
                )

    async def on_text(self, update: Update, _context: Any) -> None:
        """Words: with the bot's name under somebody's photo, or just words in private."""
        message = update.message
        if message is None:
            return
        asker = await self._service.asker(update)
        # A reply to the bot alone is people talking about an answer.
        if asker.group and not is_mentioned(message, self._service.bot):
            return
        source = picture_source(message, self._service.bot)
        if asker.group and source:
            await self._answer(asker, message, [source], await self._service.store.mode(asker))
            return
        texts = texts_for(asker.language)
        hint = notice(
            texts("Send me a photo, and I tell you whom the faces resemble. /help says more."),
            texts,
        )
        await self._service.sender.answer(message, hint)

    async def on_command(self, update: Update, mode: Mode) -> None:
        """/lookalike and /describe: about the photo that they reply to."""
        message = update.message
        if message is None:
            return
        asker = await self._service.asker(update)
        if source := picture_source(message, self._service.bot):
            await self._answer(asker, message, [source], mode)
            return
        texts = texts_for(asker.language)
        text = texts("Reply to a photo with this command, or simply send me one.")
        await self._service.sender.answer(message, notice(text, texts))

    async def _on_messages(self, update: Update, messages: Sequence[Message]) -> None:
        service = self._service
        asker = await service.asker(update)
        command = _caption_command(messages, service.bot.username)
        if command == "compare":
            await service.comparisons.begin(asker)
        if await self._compared(asker, messages):
            return
        addressed = (
            not asker.group
            or bool(command)
            or any(is_for_us(message, service.bot) for message in messages)
        )
        if not addressed and not await service.store.is_watched(asker.chat):
            return
        modes = {"lookalike": Mode.LOOKALIKE, "describe": Mode.DESCRIBE}
        mode = modes.get(command) or await service.store.mode(asker)
        await self._answer(asker, messages[0], messages, mode, quiet=not addressed)

    async def _answer(
        self,
        asker: Asker,
        message: Message,
        sources: Sequence[Message],
        mode: Mode,
        *,
        quiet: bool = False,
    ) -> None:
        """Answers the message; with ``quiet`` nothing but an answer is told."""
        async with self._service.signs.working(message):
            try:
                # Before the download: what waits takes no memory.
                async with self._queue.turn(asker.user):
                    reply = await self.reply(asker, sources, mode)
            except QueueFull:
                reply = limited_reply(None, texts_for(asker.language))
            if reply is not None and (reply.kind is ReplyKind.ANSWER or not quiet):
                await self._service.sender.answer(message, reply)

    async def reply(self, asker: Asker, sources: Sequence[Message], mode: Mode) -> Reply | None:
        """The answer about the pictures of these messages; None where there is none."""
        attachments = [attachment_of(source) for source in sources]
        if asker.group and not any(attachments):
            return None
        photos = await asyncio.gather(*map(self._download, attachments))
        return await self._service.desk.handle_photo(asker, photos, mode=mode)

    async def _download(self, attachment: Attachment | None) -> bytes | BadPhoto:
        if attachment is None:
            return BadPhoto("no picture", reason="UNSUPPORTED_FORMAT")
        try:
            return await download(self._service.bot, attachment)
        except BadPhoto as error:
            return error

    async def _compared(self, asker: Asker, messages: Sequence[Message]) -> bool:
        """Takes the photos for a comparison that was asked for; False where none was."""
        service = self._service
        given = await service.comparisons.add(asker, [a for a in map(attachment_of, messages) if a])
        if not given:
            return False
        if len(given) == 1:
            texts = texts_for(asker.language)
            text = texts("Now send me the second photo.")
            await service.sender.answer(messages[0], notice(text, texts), wants_reply=asker.group)
            return True
        async with service.signs.working(messages[0]):
            try:
                photos = await asyncio.gather(*(download(service.bot, a) for a in given[:2]))
            except BadPhoto as error:
                reply = error_reply(error, texts_for(asker.language))
            else:
                reply = await service.desk.compare(asker, *photos)
            await service.sender.answer(messages[0], reply)
        return True


def _caption_command(messages: Sequence[Message], username: str) -> str:
    """The command that a caption begins with, if it is for us; else empty."""
    for message in messages:
        match = _COMMAND.match(message.caption or "")
        if match and (match[2] or username or "").lower() == (username or "").lower():
            return match[1].lower()
    return ""
