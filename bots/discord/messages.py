"""Photos in plain messages: direct ones, those that mention the bot, watched channels.

Other messages are none of the bot's business; it does not answer other bots.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import discord
from discord.ext import commands

from bots.core.answer import Asker
from bots.core.errors import BadPhoto
from bots.core.languages import texts_for
from bots.core.notices import error_reply
from bots.core.reply import Reply
from bots.discord.commands import hint_reply
from bots.discord.conversation import PLATFORM, is_answer
from bots.discord.photos import photo_attachments, read_photos, source_message
from bots.discord.render import MAX_FILE_BYTES, render

if TYPE_CHECKING:
    from bots.discord.bot import LookalikeBot

__all__ = ["Messages", "asker_of"]

log = logging.getLogger(__name__)

REMEMBERED = 2_000
"""Messages already answered: after a reconnect, Discord may tell of one again."""


class Messages(commands.Cog):
    """Answers the photos of messages."""

    def __init__(self, bot: LookalikeBot) -> None:
        self.bot = bot
        self._seen: OrderedDict[int, None] = OrderedDict()

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Answers the message if it is meant for the bot."""
        if message.author.bot or message.webhook_id or self._is_known(message.id):
            return
        try:
            with self.bot.busy():
                await self._answer(message)
        except discord.HTTPException as error:
            # The message was deleted, or the bot may not write there any more.
            log.info("a message could not be answered: %s", error)
        except Exception:
            log.exception("a message could not be answered")

    async def _answer(self, message: discord.Message) -> None:
        addressed = message.guild is None or self._is_mentioned(message)
        if not addressed and not await self._is_watched(message):
            return
        attachments = photo_attachments(message)
        if not attachments and addressed:
            attachments = await self._pointed_at(message)
        if not attachments and (not addressed or not self._wants_words(message)):
            return
        asker = await asker_of(self.bot, message)
        if not attachments:
            await self._say(message, self._words(message, asker))
            return
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(message.channel.typing())
            except discord.HTTPException:
                log.info("typing cannot be shown")
            reply = await self._look(asker, attachments)
        # Errors, limits and refusals are for those only who wanted an answer.
        if addressed or is_answer(reply):
            await self._say(message, reply)

    async def _look(self, asker: Asker, attachments: Sequence[discord.Attachment]) -> Reply:
        photos = await read_photos(attachments)
        mode = await self.bot.store.mode(asker)
        return await self.bot.desk.handle_photo(asker, photos, mode=mode)

    async def _say(self, message: discord.Message, reply: Reply) -> None:
        """Replies to the message as far as the bot may; pings nobody."""
        allowed = _permissions(message)
        if not allowed.send_messages:
            log.info("not allowed to write in a channel")
            return
        limit = MAX_FILE_BYTES if allowed.attach_files else 0
        parts: dict[str, Any] = render(
            reply, embeds=allowed.embed_links, file_limit=limit
        ).for_sending()
        if allowed.read_message_history:
            await message.reply(**parts, mention_author=False)
        else:
            await message.channel.send(**parts)

    async def _pointed_at(self, message: discord.Message) -> list[discord.Attachment]:
        """The photos of the message that this one replies to."""
        source = await source_message(message)
        if source is None or source.author == self.bot.user:
            return []
        return photo_attachments(source)

    def _words(self, message: discord.Message, asker: Asker) -> Reply:
        """What to say to a message without photos."""
        if message.attachments:
            error = BadPhoto("no photo", reason="UNSUPPORTED_FORMAT")
            return error_reply(error, texts_for(asker.language))
        return hint_reply(asker.language)

    def _wants_words(self, message: discord.Message) -> bool:
        """Whether a message without photos should be answered: not talk about an answer."""
        if message.type is not discord.MessageType.default:
            return False
        return message.guild is None or self._names_me(message)

    def _is_mentioned(self, message: discord.Message) -> bool:
        return any(user.id == self._own_id for user in message.mentions) or self._names_me(message)

    def _names_me(self, message: discord.Message) -> bool:
        return self._own_id in message.raw_mentions

    async def _is_watched(self, message: discord.Message) -> bool:
        if not self.bot.settings.discord_watch or not message.attachments:
            return False
        if await self.bot.store.is_watched(str(message.channel.id)):
            return True
        parent = getattr(message.channel, "parent_id", None)  # of a thread
        return parent is not None and await self.bot.store.is_watched(str(parent))

    def _is_known(self, message: int) -> bool:
        if message in self._seen:
            return True
        self._seen[message] = None
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return False

    @property
    def _own_id(self) -> int:
        return self.bot.user.id if self.bot.user else 0


async def asker_of(bot: LookalikeBot, message: discord.Message) -> Asker:
    """Who sent the message."""
    language = await bot.language(message.author.id)
    if language is None and message.guild is not None:
        language = message.guild.preferred_locale.value
    adults = getattr(message.channel, "nsfw", False)
    return Asker(
        PLATFORM,
        str(message.author.id),
        str(message.channel.id),
        language,
        group=message.guild is not None and not adults,
    )


def _permissions(message: discord.Message) -> discord.Permissions:
    """What the bot may do where the message was written."""
    if message.guild is None or message.guild.me is None:
        return discord.Permissions.all()
    allowed = message.channel.permissions_for(message.guild.me)
    if isinstance(message.channel, discord.Thread):
        allowed.update(send_messages=allowed.send_messages_in_threads)
    return allowed
