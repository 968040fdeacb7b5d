"""A drawn card with the name: what is shown where no picture can be found."""

from __future__ import annotations

import asyncio
import colorsys
import functools
import hashlib
import io
import unicodedata
from pathlib import Path

from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from model_server.portraits.portrait import Person, Portrait, PortraitSource

__all__ = ["NameCardProvider", "draw_name_card", "initials"]

_FONTS = Path(__file__).parent / "fonts"
# The first that has every letter is taken. Those without a path are looked for in the
# system's font folders: too large to bring along.
_FONT_FILES = (
    str(_FONTS / "NotoSans-Bold.ttf"),  # Latin, Greek, Cyrillic
    str(_FONTS / "NotoSansArabic-Bold.ttf"),
    str(_FONTS / "NotoSansDevanagari-Bold.ttf"),
    "NotoSansCJK-Bold.ttc",
    "NotoSansHebrew-Bold.ttf",
    "NotoSansThai-Bold.ttf",
    "DejaVuSans-Bold.ttf",
)
_NON_JOINER = "\u200c"
_NO_CHARACTER = "\U0010ffff"
_MAX_LINES = 3
_MAX_NAME = 80  # characters


class NameCardProvider:
    """Draws a card for anyone."""

    name = "card"

    async def find(self, person: Person, width_px: int) -> Portrait:
        """As :meth:`PortraitProvider.find`, but always finds one.

        Where no font at hand has the letters of the name, an alias is written
        instead, or else the id, which is Latin.
        """
        return await asyncio.to_thread(self._draw, person, width_px)

    @staticmethod
    def _draw(person: Person, width_px: int) -> Portrait:
        latin = person.id.replace("-", " ").title()
        names = (person.display_name, *person.aliases, latin)
        name = next((name for name in names if _file_for(name) is not None), latin)
        return Portrait(draw_name_card(name, width_px), "image/png", PortraitSource.CARD)


def draw_name_card(name: str, width_px: int) -> bytes:
    """PNG of a card with the initials and the name; the same name gives the same card.

    Args:
        name: In any script; letters that no font at hand has show as boxes.
        width_px: The card is so wide and high: bots cut portraits to squares.
    """
    name = " ".join("".join(c for c in name if c.isprintable()).split())[:_MAX_NAME] or "?"
    ground, disc = _colors(name)
    card = PillowImage.new("RGB", (width_px, width_px), ground)
    draw = ImageDraw.Draw(card)
    center = width_px / 2
    radius = width_px * 0.26
    middle = width_px * 0.37
    _draw_disc(card, center, middle, radius, disc)
    letters = initials(name)
    font = _fitting(letters, radius * 1.3, round(radius * 0.95))
    draw.text((center, middle), letters, "white", font, anchor="mm")

    # Narrow enough for a circle cut out of the card, and for a badge that lies over its edge.
    lines, font = _wrapped(name, width_px * 0.68, round(width_px * 0.085))
    step = font.size * 1.2
    top = width_px * 0.79 - step * (len(lines) - 1) / 2
    for number, line in enumerate(lines):
        draw.text((center, top + number * step), line, "white", font, anchor="mm")
    buffer = io.BytesIO()
    card.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _draw_disc(
    card: PillowImage.Image, x: float, y: float, radius: float, color: tuple[int, int, int]
) -> None:
    """Draws large and shrinks, for ImageDraw has no smooth edges."""
    side = round(radius * 2)
    mask = PillowImage.new("L", (side * 4, side * 4))
    ImageDraw.Draw(mask).ellipse((0, 0, side * 4 - 1, side * 4 - 1), fill=255)
    mask = mask.resize((side, side), PillowImage.Resampling.LANCZOS)
    card.paste(color, (round(x - radius), round(y - radius)), mask)


def initials(name: str) -> str:
    """The first letters of the first and the last word, with the marks that belong to them.

    >>> initials("penélope Cruz"), initials("Madonna"), initials("50 Cent"), initials("...")
    ('PC', 'M', '5C', '?')
    """
    words = [
        word.lstrip("".join(c for c in word if not c.isalnum())) or word
        for word in name.split()
        if any(letter.isalnum() for letter in word)
    ]
    if not words:
        return "?"
    chosen = words if len(words) == 1 else [words[0], words[-1]]
    letters = [_first_letter(word) for word in chosen]
    # In scripts whose letters join, initials must not.
    return ("" if all(letter.isascii() for letter in letters) else _NON_JOINER).join(letters)


def _first_letter(word: str) -> str:
    """The first letter with its combining marks, such as a vowel sign."""
    end = 1
    while end < len(word) and unicodedata.category(word[end]).startswith("M"):
        end += 1
    return word[:end].upper()


def _colors(name: str) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Ground and disc, of a hue that depends on the name alone; white text is readable on both."""
    hue = hashlib.sha256(name.encode()).digest()[0] / 256
    return _rgb(hue, 0.24), _rgb(hue, 0.36)


def _rgb(hue: float, lightness: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.4)
    return round(red * 255), round(green * 255), round(blue * 255)


def _wrapped(text: str, max_width: float, size: int) -> tuple[list[str], ImageFont.FreeTypeFont]:
    """The text on as few lines as fit at ``size``, on three at the most, smaller if need be."""
    while True:
        font = _font_for(text, size)
        lines: list[str] = []
        for word in text.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and font.getlength(longer) <= max_width:
                lines[-1] = longer
            else:
                lines.append(word)
        fits = len(lines) <= _MAX_LINES and all(font.getlength(line) <= max_width for line in lines)
        if fits or size <= 8:
            return lines[:_MAX_LINES], font
        size = max(8, round(size * 0.9))


def _fitting(text: str, max_width: float, size: int) -> ImageFont.FreeTypeFont:
    font = _font_for(text, size)
    width = font.getlength(text)
    return font if width <= max_width else _font_for(text, int(size * max_width / width))


@functools.lru_cache(maxsize=64)
def _font(file: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, size)


def _font_for(text: str, size: int) -> ImageFont.FreeTypeFont:
    return _font(_file_for(text) or _FONT_FILES[0], size)


@functools.lru_cache(maxsize=1024)
def _file_for(text: str) -> str | None:
    """The first font file that has every letter of ``text``; None where none has."""
    letters = {letter for letter in text if letter.isalnum()}
    return next((file for file in _FONT_FILES if _covers(file, letters)), None)


def _covers(file: str, letters: set[str]) -> bool:
    try:
        font = _font(file, 16)
    except OSError:
        return False  # not on this system
    missing = font.getmask(_NO_CHARACTER)
    return all(
        (mask := font.getmask(letter)).size != missing.size or bytes(mask) != bytes(missing)
        for letter in letters
    )
