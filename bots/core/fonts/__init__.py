"""Fonts for the pictures that bots draw: the first that has every letter of a text."""

from __future__ import annotations

import functools
import unicodedata
from pathlib import Path

from PIL import ImageFont

__all__ = ["Font", "can_write", "fit_text", "font_for"]

Font = ImageFont.FreeTypeFont

_FOLDER = Path(__file__).parent
# Those without a bundled file are looked for in the system's font folders.
_FAMILIES = (
    "NotoSans",  # Latin, Greek, Cyrillic
    "NotoSansArabic",
    "NotoSansDevanagari",
    "NotoSansHebrew",
    "NotoSansThai",
    "NotoSansCJK",
    "DejaVuSans",
)
_NO_CHARACTER = "\U0010ffff"
_ELLIPSIS = "…"


@functools.lru_cache(maxsize=256)
def font_for(text: str, size: int, *, bold: bool = False) -> Font:
    """The font for ``text``: one that has all of its letters, else most of them."""
    letters = _letters(text)
    fonts = (_load(family, size, bold) for family in _FAMILIES)
    best = None
    most = -1
    for font in fonts:
        if font is None:
            continue
        count = sum(_has(font, letter) for letter in letters)
        if count == len(letters):
            return font
        if count > most:
            best, most = font, count
    if best is None:  # pragma: no cover - the bundled fonts are there
        raise RuntimeError("the bundled fonts are missing")
    return best


def can_write(text: str) -> bool:
    """Whether some font at hand has every letter of ``text``."""
    font = font_for(text, 16)
    return all(_has(font, letter) for letter in _letters(text))


def fit_text(
    text: str, width: float, size: int, *, bold: bool = False, lines: int = 1, smallest: int = 14
) -> tuple[list[str], Font]:
    """``text`` wrapped and, if need be, written smaller and cut short so that it fits.

    Args:
        text: In one script; words are separated by spaces.
        width: Pixels that a line may take.
        size: Of the letters, pixels, if they fit.
        bold: Weight of the letters.
        lines: At the most.
        smallest: Size below which the text is cut short.
    """
    while True:
        font = font_for(text, size, bold=bold)
        wrapped = _wrap(text, width, font)
        if len(wrapped) <= lines and all(font.getlength(line) <= width for line in wrapped):
            return wrapped, font
        if size <= smallest:
            break
        size = max(smallest, round(size * 0.92))
    kept = wrapped[:lines]
    if len(wrapped) > lines:
        kept[-1] += _ELLIPSIS
    return [_cut(line, width, font) for line in kept], font


def _wrap(text: str, width: float, font: Font) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _cut(line: str, width: float, font: Font) -> str:
    while len(line) > 1 and font.getlength(line) > width:
        line = line.rstrip(_ELLIPSIS)[:-1].rstrip() + _ELLIPSIS
    return line


def _letters(text: str) -> frozenset[str]:
    """What must have a shape: no spaces, no marks, no invisible characters."""
    return frozenset(c for c in text if unicodedata.category(c)[0] not in "ZCM")


@functools.lru_cache(maxsize=256)
def _load(family: str, size: int, bold: bool) -> Font | None:
    weight = "Bold" if bold else "Regular"
    plain = family if weight == "Regular" and family == "DejaVuSans" else f"{family}-{weight}"
    bundled = _FOLDER / f"{plain}.ttf"
    for name in (str(bundled) if bundled.exists() else f"{plain}.ttf", f"{plain}.ttc"):
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None


@functools.lru_cache(maxsize=4096)
def _has(font: Font, letter: str) -> bool:
    return bytes(font.getmask(letter)) != _missing(font)


@functools.lru_cache(maxsize=256)
def _missing(font: Font) -> bytes:
    """How the font draws a character that it does not have."""
    return bytes(font.getmask(_NO_CHARACTER))
