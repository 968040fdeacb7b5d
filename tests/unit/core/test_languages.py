"""Languages: which one is taken, and how it writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bots.core.languages import LANGUAGES, negotiate, texts_for


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (("pt-BR",), "pt"),
        ((None, "de_AT"), "de"),
        (("tlh", "AR"), "ar"),
        ((None,), "en"),
        (("",), "en"),
    ],
)
def test_the_first_language_that_is_spoken_is_taken(
    wanted: tuple[str | None, ...], taken: str
) -> None:
    """Regions, case and unknown languages do not matter."""
    assert negotiate(*wanted) == taken


def test_unknown_texts_stay_english() -> None:
    """A text that no catalogue has is still said."""
    assert texts_for("fr")("Nobody wrote this {thing}.", thing="text") == "Nobody wrote this text."


def test_numbers_are_written_as_the_language_writes_them() -> None:
    """German has a decimal comma."""
    assert texts_for("de").number(0.456, 2) == "0,46"
    assert texts_for("en").percent(0.031) == "3%"


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.0, "<1%"),
        (0.004, "<1%"),
        (0.006, "1%"),
        (0.5, "50%"),
        (0.994, "99%"),
        (0.997, ">99%"),
        (1.0, ">99%"),
    ],
)
def test_nothing_is_said_to_be_sure(share: float, said: str) -> None:
    """What is nearly 0 or 1 is not rounded to it."""
    assert texts_for("en").percent(share) == said


def test_only_arabic_runs_from_right_to_left() -> None:
    """The direction comes with the language."""
    assert [code for code in LANGUAGES if texts_for(code).right_to_left] == ["ar"]


def test_a_folder_of_ones_own_lies_over_the_shared_one(tmp_path: Path) -> None:
    """A platform adds texts and keeps those that all bots share."""
    own = tmp_path / "es" / "LC_MESSAGES" / "web.po"
    own.parent.mkdir(parents=True)
    own.write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgid "Paste"\nmsgstr "Pegar"\n',
        encoding="utf-8",
    )
    texts = texts_for("es", tmp_path)
    assert (texts("Paste"), texts("Delete")) == ("Pegar", "Borrar")
