"""The catalogues: every text in every language, with the same blanks to fill in."""

# ruff: noqa: RUF001 - Russian is meant
from __future__ import annotations

import string
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from bots.core.describe import HAIR, PHRASES
from bots.core.languages import LANGUAGES, LOCALE_FOLDER, texts_for
from model_server.captioning.face_grammar import ATTRIBUTES

ROOT = Path(__file__).parents[3]
KEYWORDS = {"texts": None, "plural": (1, 2), "P_": ((1, "c"), 2)}
TRANSLATED = sorted(set(LANGUAGES) - {"en"})


def written() -> set[tuple[str | None, str | tuple[str, ...]]]:
    """Every text in the code, with its context."""
    found = set()
    for folder in ("bots/core", "bots/telegram"):
        for _file, _line, text, _comments, context in extract_from_dir(
            ROOT / folder, keywords=KEYWORDS
        ):
            found.add((context, text))
    return found


def catalogue(language: str) -> Catalog:
    with (LOCALE_FOLDER / language / "LC_MESSAGES" / "bots.po").open("rb") as file:
        return read_po(file)


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated_and_none_is_left_over(language: str) -> None:
    """The catalogue has exactly the texts of the code, all of them translated."""
    messages = {(m.context, m.id): m for m in catalogue(language) if m.id}
    assert set(messages) == written()
    for message in messages.values():
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(forms), message.id
        assert not message.fuzzy


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_fill_in_what_the_text_does(language: str) -> None:
    """No translation loses or invents a blank; a plural form may say its number in words."""
    for message in catalogue(language):
        wanted = _wanted(message)
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        for form in forms:
            missing = wanted - blanks(form)
            assert blanks(form) <= wanted, message.id
            assert missing <= ({"n"} if isinstance(message.string, tuple) else set()), message.id


def _wanted(message: Message) -> set[str]:
    ids = message.id if isinstance(message.id, tuple) else (message.id,)
    return set().union(*map(blanks, ids))


def test_every_attribute_of_the_grammar_has_words() -> None:
    """What the server can say of a face, bots can say in every language."""
    for name, values in ATTRIBUTES.items():
        for value in values:
            assert (name, value) in PHRASES
    styles = [style for style in ATTRIBUTES["hair_style"] if style != "bald"]
    assert {(s, c) for s in styles for c in ATTRIBUTES["hair_color"]} <= set(HAIR)


@pytest.mark.parametrize("language", TRANSLATED)
def test_words_for_faces_differ_from_english_and_from_each_other(language: str) -> None:
    """No two attributes read the same, and none was left in English."""
    texts = texts_for(language)
    words = [texts.in_context("face", phrase) for phrase in (*PHRASES.values(), *HAIR.values())]
    assert len(set(words)) == len(words)
    english = {*PHRASES.values(), *HAIR.values()}
    assert set(words) & english <= {"moustache"}  # English has it from French


def test_plurals_follow_the_language() -> None:
    """Russian has a form for 2 to 4 and one from 5 on."""
    texts = texts_for("ru")
    said = [
        texts.plural(
            "There is {n} more face in the picture.", "There are {n} more faces in the picture.", n
        )
        for n in (1, 2, 5)
    ]
    assert said == [
        "На снимке есть ещё 1 лицо.",
        "На снимке есть ещё 2 лица.",
        "На снимке есть ещё 5 лиц.",
    ]
