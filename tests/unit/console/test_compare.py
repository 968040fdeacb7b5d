"""``lookalike compare``."""

from __future__ import annotations

import json

import pytest

from tests.support.fake_server import analysis


def test_json_has_the_three_units(lookalike, photo):
    """Similarity, likeness and the probability, and which photos were meant."""
    first, second = photo("a.jpg"), photo("b.jpg", "gold")
    result = lookalike("compare", first, second, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "first": str(first),
        "second": str(second),
        "similarity": 0.64,
        "likeness": 64.0,
        "same_person_probability": 0.32,
    }


def test_text_says_how_alike_they_are(lookalike, photo):
    """Likeness and the chance of being the same person."""
    result = lookalike("compare", photo("a.jpg"), photo("b.jpg"))
    assert result.exit_code == 0
    assert "64 of 100" in result.stdout
    assert "32%" in result.stdout


def test_a_photo_without_a_face_cannot_be_compared(lookalike, photo, fake):
    """The server's reason is passed on."""
    fake.script = lambda _: analysis()
    result = lookalike("compare", photo("a.jpg"), photo("b.jpg"))
    assert result.exit_code == 4
    assert result.stdout == ""


def test_an_unreadable_file_is_named(lookalike, photo, fake):
    """Before anything is sent."""
    result = lookalike("compare", photo("a.jpg"), "gone.jpg")
    assert result.exit_code == 4
    assert "gone.jpg" in result.stderr
    assert fake.calls == []


@pytest.mark.parametrize(("first", "second", "code"), [("-", "-", 2), ("a.jpg", "-", 0)])
def test_standard_input_holds_one_photo(lookalike, photo, first, second, code):
    """Not both at once."""
    content = photo("a.jpg").read_bytes()
    assert lookalike("compare", first, second, "--json", input=content).exit_code == code
