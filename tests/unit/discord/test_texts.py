"""Discord's own texts in all languages."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import discord
import pytest
from babel.messages.pofile import read_po
from discord import app_commands

import bots.discord
from bots.core.languages import LANGUAGES
from bots.discord.texts import NAME_CONTEXT, CommandTranslator

FOLDER = Path(bots.discord.__file__).parent
SAYING = {"texts": 0, "text": 0, "say": 1}
"""Functions that are given a text, and at which place."""


def said() -> set[str]:
    """Every text in the code that is to be translated."""
    found = set()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            place = SAYING.get(name)
            if place is None or len(node.args) <= place:
                continue
            given = node.args[place]
            if isinstance(given, ast.Constant) and isinstance(given.value, str):
                found.add(given.value)
    return found


def own(language):
    """Messages of Discord's own catalogue."""
    with (FOLDER / "locale" / language / "LC_MESSAGES" / "discord.po").open("rb") as file:
        return [message for message in read_po(file) if message.id]


def test_texts_are_found_in_the_code():
    """The search for texts finds what it is meant to find."""
    assert {"What I can do", "photo", "There is no photo in this message."} <= said()


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_every_text_is_translated(language):
    """No text is missing, none is left over, and the places to fill in are the same."""
    names = {m.id for m in own(language) if m.context == NAME_CONTEXT and m.string}
    words = {m.id: m.string for m in own(language) if not m.context and m.string}
    missing = said() - names - set(words)
    if language == "ar":  # Discord has no Arabic client, so names of options are not needed
        missing -= {t for t in missing if t.islower() or t in MENUS}
    assert missing == set()
    assert {m.id for m in own(language)} <= said()
    for source, translated in words.items():
        if isinstance(translated, str):
            assert fields(translated) == fields(source), source


MENUS = {"Describe this photo", "Who does this look like?"}


def fields(words):
    return {name for _, name, _, _ in string.Formatter().parse(words) if name}


async def test_english_and_unknown_languages_are_left_to_discord():
    """Where there is nothing of its own to show, Discord shows the English text."""
    translator = CommandTranslator()
    where = app_commands.TranslationContext(
        location=app_commands.TranslationContextLocation.command_description, data=None
    )
    what = app_commands.locale_str("What I can do")
    assert await translator.translate(what, discord.Locale.british_english, where) is None
    assert await translator.translate(what, discord.Locale.japanese, where) is None
    assert await translator.translate(what, discord.Locale.latin_american_spanish, where) == (
        "Lo que sé hacer"
    )
