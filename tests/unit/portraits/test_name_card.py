"""The drawn card."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from model_server.portraits import name_card
from model_server.portraits.name_card import NameCardProvider, draw_name_card, initials
from model_server.portraits.portrait import PortraitSource


def opened(card):
    """The card as Pillow reads it."""
    with Image.open(io.BytesIO(card)) as picture:
        picture.load()
        return picture


@pytest.mark.parametrize("width", [250, 330, 500, 960])
def test_a_card_is_a_png_of_the_wanted_width(width):
    """Square, so that nothing is lost where bots cut portraits to squares."""
    picture = opened(draw_name_card("Penélope Cruz", width))
    assert (picture.format, picture.mode) == ("PNG", "RGB")
    assert picture.size == (width, width)


def test_the_same_name_gives_the_same_card_and_another_name_another():
    """Colours depend on the name alone, in every process."""
    assert draw_name_card("Ada", 250) == draw_name_card("Ada", 250)
    grounds = {opened(draw_name_card(name, 250)).getpixel((0, 0)) for name in ("Ada", "Bob")}
    assert len(grounds) == 2
    assert opened(draw_name_card("Penélope Cruz", 250)).getpixel((0, 0)) == (86, 37, 37)


@pytest.mark.parametrize(
    "name",
    ["Владимир Высоцкий", "Μελίνα Μερκούρη", "अमिताभ बच्चन", "عمر الشريف", "Nguyễn Thị Ánh"],
)
def test_names_in_other_scripts_have_their_letters(name):
    """The fonts that come along cover the languages that the bots speak."""
    assert name_card._file_for(name) is not None
    assert len(opened(draw_name_card(name, 250)).getcolors(100_000) or ()) > 3


@pytest.mark.parametrize("name", ["", " ", "...", "\x00\u202e", "🎸", "A" * 500, "word " * 100])
def test_odd_names_are_drawn_all_the_same(name):
    """A card is the last resort: it never fails."""
    assert opened(draw_name_card(name, 250)).size == (250, 250)


def test_long_words_stay_on_the_card():
    """The text is made smaller until it fits: the margins stay clean."""
    picture = opened(draw_name_card("Wolfeschlegelsteinhausenbergerdorff von Thal", 330))
    ground = picture.getpixel((0, 0))
    for x in (2, 327):
        assert {picture.getpixel((x, y)) for y in range(picture.height)} == {ground}


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("penélope Cruz", "PC"),
        ("Madonna", "M"),
        ("Arnold Alois Schwarzenegger", "AS"),
        ("50 Cent", "5C"),
        ("'N Sync", "NS"),
        ("...", "?"),
        ("", "?"),
        ("किशोर कुमार", "कि\u200cकु"),
    ],
)
def test_initials(name, letters):
    """First and last word, with their vowel signs, not joined to each other."""
    assert initials(name) == letters


async def test_a_name_without_glyphs_gives_way_to_an_alias(monkeypatch, someone):
    """Rather a name that can be read than boxes: an alias, or else the id."""
    drawn = []
    monkeypatch.setattr(
        name_card, "draw_name_card", lambda name, width: drawn.append(name) or b"png"
    )
    cuneiform = "\U00012000\U00012001"
    provider = NameCardProvider()
    await provider.find(someone("a-b", cuneiform, ("Enheduanna",)), 250)
    portrait = await provider.find(someone("a-b", cuneiform), 250)
    await provider.find(someone("a-b", "Ada", ("Enheduanna",)), 250)
    assert drawn == ["Enheduanna", "A B", "Ada"]
    assert (portrait.source, portrait.mime_type) == (PortraitSource.CARD, "image/png")


def test_a_font_that_is_not_installed_is_passed_over(monkeypatch):
    """The system's fonts are a bonus."""
    monkeypatch.setattr(name_card, "_FONT_FILES", ("NoSuchFont.ttf", name_card._FONT_FILES[0]))
    assert name_card._file_for.__wrapped__("Ada") == name_card._FONT_FILES[1]


@pytest.mark.parametrize("name", ["Antje Buschschulte", "Arnold Schwarzenegger", "Ai"])
def test_the_name_fits_a_circle_cut_out_of_the_card(name):
    """Chats and the web page show portraits round; nothing of the name is cut off."""
    with Image.open(io.BytesIO(draw_name_card(name, 256))) as card:
        written = np.asarray(card.convert("RGB")).min(2) > 200
    rows, columns = np.nonzero(written)
    assert len(rows)
    assert np.hypot(rows - 127.5, columns - 127.5).max() < 126
