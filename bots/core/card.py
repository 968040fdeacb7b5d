"""The side-by-side picture: each face next to the celebrity it resembles, made to be shared."""

from __future__ import annotations

import colorsys
import functools
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from bots.core.fonts import Font, fit_text, font_for

__all__ = ["CardMatch", "CardRow", "draw_card", "draw_comparison", "draw_matches"]

WIDTH = 960
"""Pixels, of every card."""

_PAPER = (251, 248, 244)
_INK = (38, 30, 48)
_FAINT = (122, 112, 128)
_ACCENT = (196, 61, 92)
_TRACK = (238, 226, 228)
_WHITE = (255, 255, 255)
_NON_JOINER = "\u200c"  # initials must not join where letters do

_MARGIN = 40
_GAP = 24
_FOOT = 44
_QUALITY = 88


@dataclass(frozen=True, slots=True, repr=False)
class CardMatch:
    """A celebrity on a card.

    Attributes:
        name: As written under the portrait.
        likeness: 0..100.
        portrait: Bytes of a picture; None or unreadable: the initials are drawn.
    """

    name: str
    likeness: float
    portrait: bytes | None = None


@dataclass(frozen=True, slots=True, repr=False)
class CardRow:
    """A face and whom it resembles.

    Attributes:
        face: Bytes of the face's picture.
        match: Its best look-alike, if there is one.
        number: Written on the face where there are several.
    """

    face: bytes
    match: CardMatch | None = None
    number: int | None = None


def draw_card(rows: Sequence[CardRow], *, word: str = "", credits_: Sequence[str] = ()) -> bytes:
    """JPEG of all faces, each next to its best look-alike.

    Args:
        rows: One for each face, at least one; up to two stand below each other, more in
            two columns.
        word: "Likeness" in the asker's language, written under a score that has room for it.
        credits_: Whom to credit for the portraits, one line each.
    """
    columns = 1 if len(rows) <= 2 else 2
    cell = (WIDTH - 2 * _MARGIN - (columns - 1) * _GAP * 2) // columns
    side = (cell - _GAP) // 2 if len(rows) == 1 or columns == 2 else 300
    label = 76 if columns == 1 else 52
    count = -(-len(rows) // columns)
    step = side + label + (_GAP if columns == 2 or count > 1 else 0)
    card, draw, foot = _blank(count * step + _MARGIN, credits_)
    for index, row in enumerate(rows):
        left = _MARGIN + (index % columns) * (cell + 2 * _GAP)
        left += (cell - 2 * side - _GAP) // 2
        top = _MARGIN + (index // columns) * step
        _draw_pair(card, row, (left, top), side, word)
    _draw_foot(draw, foot, credits_)
    return _encode(card)


def draw_matches(
    row: CardRow, matches: Sequence[CardMatch], *, first: int = 1, credits_: Sequence[str] = ()
) -> bytes:
    """JPEG of a face and a page of its look-alikes.

    Args:
        row: The face; its match is not drawn.
        matches: Up to six, best first.
        first: Place of the first of them.
        credits_: As in :func:`draw_card`.
    """
    big, columns = 330, 3
    right = _MARGIN + big + _GAP * 2
    side = (WIDTH - _MARGIN - right - (columns - 1) * _GAP) // columns
    step = side + 74
    count = max(1, -(-len(matches) // columns))
    body = max(big + 20, count * step)
    card, draw, foot = _blank(body + _MARGIN, credits_)
    middle = _MARGIN + (body - big) // 2 - 10
    _paste_tile(card, row.face, "", (_MARGIN, middle), big)
    if row.number is not None:
        _draw_number(card, (_MARGIN + 16, middle + 16), row.number)
    for index, match in enumerate(matches):
        left = right + (index % columns) * (side + _GAP)
        top = _MARGIN + (index // columns) * step
        _paste_portrait(card, match, (left, top), side)
        _draw_number(card, (left + 8, top + 8), first + index, size=30)
        center = left + side / 2
        name, font = fit_text(match.name, side + _GAP - 6, 20, bold=True)
        draw.text((center, top + side + 20), name[0] if name else "", _INK, font, anchor="mm")
        likeness = f"{match.likeness:.0f}"
        draw.text((center, top + side + 46), likeness, _ACCENT, _digits(likeness, 20), anchor="mm")
    _draw_foot(draw, foot, credits_)
    return _encode(card)


def draw_comparison(first: bytes, second: bytes, likeness: float, *, word: str = "") -> bytes:
    """JPEG of two faces and how alike they are (0..100)."""
    side = (WIDTH - 2 * _MARGIN - _GAP) // 2
    card, draw, foot = _blank(side + 24 + _MARGIN, ())
    for index, face in enumerate((first, second)):
        _paste_tile(card, face, "", (_MARGIN + index * (side + _GAP), _MARGIN), side)
    center = (WIDTH // 2, _MARGIN + side // 2)
    _draw_ring(card, center, 72, likeness, word)
    _draw_foot(draw, foot, ())
    return _encode(card)


def _blank(body: int, credits_: Sequence[str]) -> tuple[Image.Image, ImageDraw.ImageDraw, int]:
    """An empty card, and where its foot begins."""
    height = body + _FOOT + 22 * len(credits_)
    card = Image.new("RGB", (WIDTH, height), _PAPER)
    return card, ImageDraw.Draw(card), body


def _draw_pair(
    card: Image.Image, row: CardRow, place: tuple[int, int], side: int, word: str
) -> None:
    draw = ImageDraw.Draw(card)
    left, top = place
    right = left + side + _GAP
    _paste_tile(card, row.face, "", place, side)
    if row.number is not None:
        _draw_number(card, (left + 14, top + 14), row.number)
    if row.match is None:
        _paste_tile(card, None, "?", (right, top), side)
        return
    match = row.match
    _paste_portrait(card, match, (right, top), side)
    radius = max(38, round(side * 0.16))
    _draw_ring(
        card, (left + side + _GAP // 2, top + side - radius - 14), radius, match.likeness, word
    )
    width = 2 * side + _GAP
    lines, font = fit_text(match.name, width, round(14 + side * 0.05), bold=True)
    center = (left + width / 2, top + side + 14 + font.size * 0.6)
    draw.text(center, lines[0] if lines else "", _INK, font, anchor="mm")


def _paste_tile(
    card: Image.Image, content: bytes | None, name: str, place: tuple[int, int], side: int
) -> None:
    """A picture cut to a square with round corners."""
    picture = _square(content, side) if content else None
    card.paste(picture or _initials_tile(name, side), place, _corners(side, max(12, side // 14)))


def _paste_portrait(card: Image.Image, match: CardMatch, place: tuple[int, int], side: int) -> None:
    """As :func:`_paste_tile`, but what was cut is remembered: it is nobody's own photo."""
    picture = _portrait(match.portrait, side) if match.portrait else None
    tile = picture or _initials_tile(match.name, side)
    card.paste(tile, place, _corners(side, max(12, side // 14)))


@functools.lru_cache(maxsize=48)
def _portrait(content: bytes, side: int) -> Image.Image | None:
    return _square(content, side)


def _square(content: bytes, side: int) -> Image.Image | None:
    """The picture's middle as a square; None where it cannot be read.

    Portraits keep their upper part, where the face is.
    """
    try:
        with Image.open(io.BytesIO(content)) as opened:
            opened.draft("RGB", (side, side))
            picture = opened.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    width, height = picture.size
    edge = min(width, height)
    left = (width - edge) / 2
    top = (height - edge) * 0.25
    box = (left, top, left + edge, top + edge)
    return picture.resize((side, side), Image.Resampling.BICUBIC, box=box, reducing_gap=2.0)


@functools.lru_cache(maxsize=64)
def _initials_tile(name: str, side: int) -> Image.Image:
    """Initials on a ground whose hue depends on the name alone."""
    hue = zlib.crc32(name.encode()) % 360 / 360
    red, green, blue = colorsys.hls_to_rgb(hue, 0.62, 0.28)
    tile = Image.new("RGB", (side, side), (round(red * 255), round(green * 255), round(blue * 255)))
    words = [word for word in name.split() if word[0].isalnum()] or ["?"]
    letters = [word[0] for word in (words[:1] if len(words) == 1 else (words[0], words[-1]))]
    text = ("" if name.isascii() else _NON_JOINER).join(letters)
    font = font_for(text, side // 3, bold=True)
    ImageDraw.Draw(tile).text((side / 2, side / 2), text, _WHITE, font, anchor="mm")
    return tile


@functools.lru_cache(maxsize=32)
def _corners(side: int, radius: int) -> Image.Image:
    """Mask with round corners; drawn large and shrunk, for ImageDraw has no smooth edges."""
    mask = Image.new("L", (side * 2, side * 2))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, side * 2 - 1, side * 2 - 1), radius * 2, fill=255)
    return mask.resize((side, side), Image.Resampling.BOX)


def _draw_ring(
    card: Image.Image, center: tuple[int, int], radius: int, likeness: float, word: str = ""
) -> None:
    """The score in a ring that is filled as far as the score goes."""
    shown = round(min(max(likeness, 0.0), 100.0))
    ring = _ring(radius, shown, word if radius >= 60 else "")
    card.paste(ring, (center[0] - radius, center[1] - radius), ring)


@functools.lru_cache(maxsize=256)
def _ring(radius: int, likeness: int, word: str) -> Image.Image:
    scale = 3
    side = radius * 2 * scale
    ring = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(ring)
    draw.ellipse((0, 0, side - 1, side - 1), fill=_WHITE)
    inset, thick = round(side * 0.06), round(side * 0.075)
    box = (inset, inset, side - inset, side - inset)
    draw.arc(box, 0, 360, _TRACK, thick)
    if likeness:
        draw.arc(box, -90, -90 + 3.6 * likeness, _ACCENT, thick)
    ring = ring.resize((radius * 2, radius * 2), Image.Resampling.BOX)
    draw = ImageDraw.Draw(ring)
    text = str(likeness)
    y = radius - (radius * 0.12 if word else 0)
    draw.text((radius, y), text, _INK, _digits(text, round(radius * 0.72)), anchor="mm")
    if word:
        lines, font = fit_text(word, radius * 1.25, round(radius * 0.24), smallest=9)
        draw.text((radius, radius * 1.38), lines[0], _FAINT, font, anchor="mm")
    return ring


def _draw_number(card: Image.Image, place: tuple[int, int], number: int, size: int = 44) -> None:
    draw = ImageDraw.Draw(card)
    disc = Image.new("RGB", (size, size), _INK)
    card.paste(disc, place, _corners(size, size // 2))
    text = str(number)
    center = (place[0] + size / 2, place[1] + size / 2)
    draw.text(center, text, _WHITE, _digits(text, size // 2), anchor="mm")


def _digits(text: str, size: int) -> Font:
    return font_for(text, size, bold=True)


def _draw_foot(draw: ImageDraw.ImageDraw, top: int, credits_: Sequence[str]) -> None:
    y = top + 12
    for text in credits_:
        lines, font = fit_text(text, WIDTH - 2 * _MARGIN - 160, 16, smallest=12)
        draw.text((_MARGIN, y), lines[0] if lines else "", _FAINT, font, anchor="lm")
        y += 22
    draw.text(
        (WIDTH - _MARGIN, top + 12), "lookalike", _ACCENT, _digits("lookalike", 20), anchor="rm"
    )


def _encode(card: Image.Image) -> bytes:
    buffer = io.BytesIO()
    card.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
