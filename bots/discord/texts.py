"""Texts that only Discord needs, and the translation of what it shows of commands.

Catalogues lie in ``locale`` beside this file; they are laid over those of bots/core.
"""

from __future__ import annotations

from pathlib import Path

import discord
from discord import app_commands

from bots.core.languages import LANGUAGES, Texts, negotiate, texts_for

__all__ = ["NAME_CONTEXT", "CommandTranslator", "discord_texts", "text"]

LOCALE_FOLDER = Path(__file__).parent / "locale"
NAME_CONTEXT = "command"
"""gettext context of the names of commands and options: lower case, no spaces."""


def discord_texts(language: str | None) -> Texts:
    """Texts in the language that fits best, Discord's own included."""
    return texts_for(language, LOCALE_FOLDER)


def text(message: str) -> app_commands.locale_str:
    """A description that :class:`CommandTranslator` finds the translations of."""
    return app_commands.locale_str(message)


class CommandTranslator(app_commands.Translator):
    """Names and descriptions of commands in the languages that Discord's clients have.

    Discord has no Arabic client, and English is what the code says; both are left out.
    Slash commands keep their English names: texts of all platforms tell people to use them.
    """

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """The text in ``locale``, or None where it has none of its own."""
        language = negotiate(locale.value)
        if language == "en" or language not in LANGUAGES:
            return None
        texts = discord_texts(language)
        if context.location in _NAMES:
            translated = texts.in_context(NAME_CONTEXT, string.message)
        else:
            translated = texts(string.message)
        return translated if translated != string.message else None


_NAMES = frozenset(
    {
        app_commands.TranslationContextLocation.command_name,
        app_commands.TranslationContextLocation.parameter_name,
        app_commands.TranslationContextLocation.group_name,
    }
)
