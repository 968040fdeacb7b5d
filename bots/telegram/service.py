"""What all handlers of the Telegram bot share."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from telegram import Bot, CallbackQuery, Chat, Message, MessageEntity, Update, User
from telegram.constants import ChatMemberStatus, ChatType
from telegram.error import TelegramError

from bots.core.answer import Asker
from bots.core.desk import PhotoDesk
from bots.core.languages import Texts, negotiate, texts_for
from bots.core.speech import Speaker
from bots.core.store import SettingsStore
from bots.telegram.comparisons import Comparisons
from bots.telegram.files import attachment_of
from bots.telegram.journal import UpdateJournal
from bots.telegram.sender import Sender
from bots.telegram.settings import TelegramSettings
from bots.telegram.signs import WorkSigns

__all__ = ["PLATFORM", "Service", "acknowledge", "is_for_us", "is_mentioned", "picture_source"]

PLATFORM = "telegram"
_ADMINS = frozenset({ChatMemberStatus.ADMINISTRATOR, ChatMemberStatus.OWNER})


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that handlers work with."""

    settings: TelegramSettings
    bot: Bot
    desk: PhotoDesk
    store: SettingsStore
    sender: Sender
    speaker: Speaker
    journal: UpdateJournal
    signs: WorkSigns
    comparisons: Comparisons

    async def asker(self, update: Update) -> Asker:
        """Who sent the update, where, and in which language."""
        user, chat = update.effective_user, update.effective_chat
        who = str(user.id if user else chat.id if chat else 0)
        chosen = await self.store.language(who)
        return Asker(
            platform=PLATFORM,
            user=who,
            chat=str(chat.id) if chat else who,
            language=negotiate(chosen, user.language_code if user else None),
            group=chat is not None and chat.type != ChatType.PRIVATE,
        )

    async def texts(self, update: Update) -> Texts:
        """Texts in the language of whoever sent the update."""
        return texts_for((await self.asker(update)).language)

    async def may_change(self, chat: Chat, user: User | None) -> bool:
        """Whether somebody may change the settings of a chat: in a group, its admins."""
        if chat.type == ChatType.PRIVATE:
            return True
        if user is None:  # an admin who stays anonymous
            return True
        try:
            member = await self.bot.get_chat_member(chat.id, user.id)
        except TelegramError:
            return False
        return member.status in _ADMINS

    async def sees_every_photo(self, chat: str) -> bool:
        """Whether Telegram shows the bot what a group's people write to each other."""
        try:
            if (await self.bot.get_me()).can_read_all_group_messages:
                return True
            member = await self.bot.get_chat_member(chat, self.bot.id)
        except TelegramError:
            return False
        return member.status in _ADMINS


async def acknowledge(query: CallbackQuery, text: str = "", *, alert: bool = False) -> None:
    """Ends the wait for a pressed button, with a word; if that fails, what it does goes on."""
    with contextlib.suppress(TelegramError):  # Telegram forgets presses after a while
        await query.answer(text[:200] or None, show_alert=alert or None)


def is_for_us(message: Message, bot: Bot) -> bool:
    """Whether a message of a group addresses the bot: a reply to it, or its name."""
    return _is_from(message.reply_to_message, bot) or is_mentioned(message, bot)


def picture_source(message: Message, bot: Bot) -> Message | None:
    """The message with a picture that this one replies to; the bot's own cards are none."""
    replied = message.reply_to_message
    return None if _is_from(replied, bot) or attachment_of(replied) is None else replied


def _is_from(message: Message | None, bot: Bot) -> bool:
    sender = message.from_user if message else None
    return sender is not None and sender.id == bot.id


def is_mentioned(message: Message, bot: Bot) -> bool:
    """Whether a message says the bot's name."""
    name = f"@{bot.username}".lower()
    kinds: list[str | None] = [MessageEntity.MENTION, MessageEntity.TEXT_MENTION]
    entities = message.parse_entities(kinds) | message.parse_caption_entities(kinds)
    return any(
        (entity.user is not None and entity.user.id == bot.id)
        or (bool(bot.username) and text.lower() == name)
        for entity, text in entities.items()
    )
