"""What all handlers of the Telegram bot share."""

from __future__ import annotations

from dataclasses import dataclass

from telegram import Bot, Chat, Message, MessageEntity, Update, User
from telegram.constants import ChatType
from telegram.error import TelegramError

from bots.core.answer import Asker
from bots.core.desk import PhotoDesk
from bots.core.languages import Texts, negotiate, texts_for
from bots.core.speech import Speaker
from bots.core.store import SettingsStore
from bots.telegram.journal import UpdateJournal
from bots.telegram.sender import Sender
from bots.telegram.settings import TelegramSettings
from bots.telegram.signs import WorkSigns

__all__ = ["PLATFORM", "Service", "is_for_us"]

PLATFORM = "telegram"


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
        return member.status in {"administrator", "creator"}


def is_for_us(message: Message, bot: Bot) -> bool:
    """Whether a message of a group addresses the bot: a reply to it, or its name."""
    replied = message.reply_to_message
    if replied and replied.from_user and replied.from_user.id == bot.id:
        return True
    name = f"@{bot.username}".lower()
    kinds: list[str | None] = [MessageEntity.MENTION, MessageEntity.TEXT_MENTION]
    entities = message.parse_entities(kinds) | message.parse_caption_entities(kinds)
    return any(
        (entity.user is not None and entity.user.id == bot.id)
        or (bool(bot.username) and text.lower() == name)
        for entity, text in entities.items()
    )
