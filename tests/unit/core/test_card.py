"""The card: it always gets drawn, and shows what it should."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from bots.core.card import WIDTH, CardMatch, CardRow, draw_card, draw_comparison, draw_matches
from tests.support.fake_server import picture

RED = picture("red", (200, 200))
BLUE = picture("blue", (200, 300))


def opened(card: bytes) -> Image.Image:
    return Image.open(io.BytesIO(card)).convert("RGB")


def is_near(color: tuple[int, ...], wanted: tuple[int, int, int]) -> bool:
    return all(abs(a - b) < 40 for a, b in zip(color, wanted, strict=True))


def test_the_face_is_left_and_the_portrait_right() -> None:
    """A red face beside a blue portrait."""
    card = opened(draw_card([CardRow(RED, CardMatch("Somebody", 87, BLUE))], word="Likeness"))
    assert card.width == WIDTH
    assert is_near(card.getpixel((200, 150)), (255, 0, 0))  # type: ignore[arg-type]
    assert is_near(card.getpixel((750, 150)), (0, 0, 255))  # type: ignore[arg-type]


@pytest.mark.parametrize("count", range(1, 11))
def test_every_face_has_its_place(count: int) -> None:
    """Up to ten faces are on the card, each red beside blue."""
    rows = [CardRow(RED, CardMatch(f"Star {n}", 50, BLUE), n) for n in range(1, count + 1)]
    card = opened(draw_card(rows))
    squares = card.resize((card.width // 12, card.height // 12))
    red = sum(is_near(pixel, (255, 0, 0)) for pixel in squares.get_flattened_data())
    blue = sum(is_near(pixel, (0, 0, 255)) for pixel in squares.get_flattened_data())
    assert red / count > 80
    assert blue / count > 80


@pytest.mark.parametrize("name", ["Penélope Cruz", "أم كلثوم", "अमिताभ बच्चन", "Ольга", "", "..."])
@pytest.mark.parametrize("portrait", [None, b"no picture", BLUE[:300]])
def test_names_in_any_script_and_broken_portraits(name: str, portrait: bytes | None) -> None:
    """Where there is no portrait, initials are drawn in its place."""
    card = opened(draw_card([CardRow(RED, CardMatch(name, 0.4, portrait))]))
    assert not is_near(card.getpixel((750, 150)), (251, 248, 244))  # type: ignore[arg-type]


def test_a_face_without_a_match_or_without_a_crop() -> None:
    """Nothing is missing but what is missing."""
    assert opened(draw_card([CardRow(b"", None)])).width == WIDTH


def test_a_page_of_look_alikes() -> None:
    """The face and up to six portraits."""
    matches = [CardMatch(f"Star {n}", 90 - n, BLUE) for n in range(6)]
    card = opened(draw_matches(CardRow(RED, None, 2), matches, first=6, credits_=["A", "B"]))
    assert is_near(card.getpixel((200, 250)), (255, 0, 0))  # type: ignore[arg-type]
    assert opened(draw_matches(CardRow(RED), [])).width == WIDTH


def test_two_faces_compared() -> None:
    """One beside the other, the likeness between them."""
    card = opened(draw_comparison(RED, BLUE, 64.4, word="Likeness"))
    assert is_near(card.getpixel((200, 100)), (255, 0, 0))  # type: ignore[arg-type]
    assert is_near(card.getpixel((800, 100)), (0, 0, 255))  # type: ignore[arg-type]


def test_many_credits_make_the_card_higher() -> None:
    """No credit is cut off."""
    row = CardRow(RED, CardMatch("Somebody", 87, BLUE))
    one = opened(draw_card([row], credits_=["A"]))
    three = opened(draw_card([row], credits_=["A", "B", "C"]))
    assert three.height > one.height
