"""Commands: help, privacy, language, settings, compare, celebrity, forget."""

from __future__ import annotations

from typing import Any

from telegram import (
    BotCommand,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
    Update,
)
from telegram.error import BadRequest

from bots.core.answer import Asker, Mode
from bots.core.languages import LANGUAGES, Texts, texts_for
from bots.core.notices import help_reply, notice, privacy_paragraphs
from bots.core.store import Scope
from bots.telegram.files import attachment_of
from bots.telegram.persistence import persistently
from bots.telegram.service import Service, acknowledge, picture_source

__all__ = ["CommandHandlers", "menu"]

_LANGUAGE, _MODE, _WATCH = "language:", "mode:", "watch:"


class CommandHandlers:
    """Answers commands, and the buttons under them.

    Args:
        service: The shared parts.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_help(self, update: Update, _context: Any) -> None:
        """/start and /help."""
        if update.message:
            texts = await self._service.texts(update)
            reply = help_reply(texts, commands(texts))
            await self._service.sender.answer(update.message, reply)

    async def on_privacy(self, update: Update, _context: Any) -> None:
        """/privacy."""
        if update.message:
            texts = await self._service.texts(update)
            paragraphs = privacy_paragraphs(texts, self._service.settings.privacy_contact)
            text = "\n\n".join(paragraphs)
            await self._service.sender.answer(update.message, notice(text, texts))

    async def on_language(self, update: Update, _context: Any) -> None:
        """/language."""
        if update.message:
            texts = await self._service.texts(update)
            await self._show(update.message, texts("Which language shall I speak?"), _languages())

    async def on_settings(self, update: Update, _context: Any) -> None:
        """/settings."""
        if update.message:
            asker = await self._service.asker(update)
            text, keyboard = await self._settings(asker)
            await self._show(update.message, text, keyboard)

    async def on_compare(self, update: Update, _context: Any) -> None:
        """/compare: the next two photos, or the one replied to and the next."""
        if not update.message:
            return
        service = self._service
        asker = await service.asker(update)
        texts = texts_for(asker.language)
        first = attachment_of(picture_source(update.message, service.bot))
        await service.comparisons.begin(asker, first)
        text = (
            texts("Now send me the second photo.")
            if first
            else texts("Send me two photos, and I tell you how alike the faces are.")
        )
        await service.sender.answer(update.message, notice(text, texts), wants_reply=asker.group)

    async def on_celebrity(self, update: Update, context: Any) -> None:
        """/celebrity NAME."""
        if update.message:
            asker = await self._service.asker(update)
            async with self._service.signs.working(update.message):
                reply = await self._service.desk.celebrity(asker, " ".join(context.args or ()))
                await self._service.sender.answer(update.message, reply)

    async def on_forget(self, update: Update, _context: Any) -> None:
        """/forget_me."""
        if update.message:
            asker = await self._service.asker(update)
            texts = texts_for(asker.language)
            await self._service.store.forget(Scope.USER, asker.user)
            if not asker.group:
                await self._service.store.forget(Scope.CHAT, asker.chat)
            self._service.desk.forget(asker)
            self._service.sender.forget_person(asker.user)
            text = texts("Done. Your settings and all answers in memory are deleted.")
            await self._service.sender.answer(update.message, notice(text, texts))

    async def on_setting(self, query: CallbackQuery, message: Message, asker: Asker) -> bool:
        """A button of /language or /settings; False where it is another one."""
        data = query.data or ""
        store = self._service.store
        if data.startswith(_LANGUAGE) and data.removeprefix(_LANGUAGE) in LANGUAGES:
            code = data.removeprefix(_LANGUAGE)
            await store.put(Scope.USER, asker.user, "language", code)
            texts = texts_for(code)
            await acknowledge(query)
            await self._edit(message, texts("From now on I speak English."), None)
            return True
        if data.startswith(_MODE) and data.removeprefix(_MODE) in set(Mode):
            await store.put(Scope.USER, asker.user, "mode", data.removeprefix(_MODE))
        elif data.startswith(_WATCH):
            if not await self._service.may_change(message.chat, query.from_user):
                text = texts_for(asker.language)("Only admins of this group can change that.")
                await acknowledge(query, text, alert=True)
                return True
            await store.watch(asker.chat, data.removeprefix(_WATCH) == "yes")
        else:
            return False
        await acknowledge(query)
        text, keyboard = await self._settings(asker)
        await self._edit(message, text, keyboard)
        return True

    async def _settings(self, asker: Asker) -> tuple[str, InlineKeyboardMarkup]:
        texts = texts_for(asker.language)
        mode = await self._service.store.mode(asker)
        rows = [
            [
                InlineKeyboardButton(
                    f"{'✓ ' if mode is one else ''}{label}", callback_data=f"{_MODE}{one}"
                )
            ]
            for one, label in (
                (Mode.FULL, texts("Everything")),
                (Mode.DESCRIBE, texts("Descriptions only")),
                (Mode.LOOKALIKE, texts("Look-alikes only")),
            )
        ]
        text = texts("What do you want to know about photos?")
        if asker.group:
            watched = await self._service.store.is_watched(asker.chat)
            label = texts("Answer every photo in this group")
            rows.append(
                [
                    InlineKeyboardButton(
                        f"{'✓ ' if watched else ''}{label}",
                        callback_data=f"{_WATCH}{'no' if watched else 'yes'}",
                    )
                ]
            )
            if watched and not await self._service.sees_every_photo(asker.chat):
                text += "\n\n" + texts(
                    "Telegram shows me only photos that are for me. To let me see all of them, "
                    "make me an admin of this group; or switch off my privacy mode with "
                    "@BotFather (/setprivacy) and add me to the group again."
                )
        text += "\n\n" + texts("/language changes the language.")
        return text, InlineKeyboardMarkup(rows)

    @staticmethod
    async def _show(message: Message, text: str, keyboard: InlineKeyboardMarkup) -> None:
        await persistently(lambda: message.reply_text(text, reply_markup=keyboard))

    @staticmethod
    async def _edit(message: Message, text: str, keyboard: InlineKeyboardMarkup | None) -> None:
        try:
            await persistently(lambda: message.edit_text(text, reply_markup=keyboard))
        except BadRequest as error:
            if "not modified" not in error.message.lower():
                raise


def _languages() -> InlineKeyboardMarkup:
    buttons = [
        InlineKeyboardButton(name, callback_data=f"{_LANGUAGE}{code}")
        for code, name in LANGUAGES.items()
    ]
    return InlineKeyboardMarkup([buttons[i : i + 2] for i in range(0, len(buttons), 2)])


def menu(texts: Texts) -> list[BotCommand]:
    """The commands as Telegram's menu shows them."""
    return [BotCommand(name, text) for name, text in commands(texts)]


def commands(texts: Texts) -> list[tuple[str, str]]:
    """Each command, and what it does."""
    return [
        ("help", texts("What I can do")),
        ("compare", texts("How alike are two faces?")),
        ("celebrity", texts("Portrait of a celebrity")),
        ("lookalike", texts("Who does the photo resemble?")),
        ("describe", texts("What is on the photo?")),
        ("language", texts("Choose the language")),
        ("settings", texts("Your settings")),
        ("privacy", texts("What happens to photos")),
        ("forget_me", texts("Delete what is stored about you")),
    ]
