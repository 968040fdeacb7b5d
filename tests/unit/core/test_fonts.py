"""Fonts: the right one for each script, and text that fits."""

from __future__ import annotations

import pytest

from bots.core.fonts import can_write, fit_text, font_for


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("Penélope", "Noto Sans"),
        ("Владимир", "Noto Sans"),
        ("أم كلثوم", "Noto Sans Arabic"),
        ("अमिताभ", "Noto Sans Devanagari"),
    ],
)
def test_each_script_has_its_font(text: str, family: str) -> None:
    """The first font with every letter is taken."""
    assert can_write(text)
    assert font_for(text, 20, bold=True).getname() == (family, "Bold")


def test_long_names_are_made_smaller_before_they_are_cut() -> None:
    """A name just too long is written smaller; one far too long ends with dots."""
    lines, font = fit_text("Arnold Alois", 100, 30)
    assert lines == ["Arnold Alois"]
    assert font.size < 30
    lines, font = fit_text("Arnold Alois Schwarzenegger the Third", 80, 30)
    assert lines[0].endswith("…")
    assert font.getlength(lines[0]) <= 80


def test_words_are_wrapped() -> None:
    """Where there is room for two lines, the size stays."""
    lines, font = fit_text("Arnold Schwarzenegger", 230, 30, lines=2)
    assert lines == ["Arnold", "Schwarzenegger"]
    assert all(font.getlength(line) <= 230 for line in lines)


def test_letters_that_no_font_has() -> None:
    """They are recognised, so that another name can be taken."""
    assert not can_write("\U0001f9ff\U00013000")
