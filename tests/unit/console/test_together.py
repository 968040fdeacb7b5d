"""``lookalike describe --together``."""

from __future__ import annotations

import json

import pytest

from tests.support.fake_server import analysis, face


def test_one_answer_about_several_photos_of_a_person(lookalike, photo, fake):
    """The first photo's caption and face, matched by all of them."""
    first, second, third = (photo(f"{color}.jpg", color) for color in ("teal", "navy", "gold"))
    scripts = {
        first.read_bytes(): analysis(face(), face(x=80), caption="a person reads"),
        second.read_bytes(): analysis(face(first=5)),
        third.read_bytes(): analysis(face(first=9)),
    }
    fake.script = lambda data: scripts[data]
    arguments = ("describe", first, second, third, "--together", "--top", "2")
    result = lookalike(*arguments, "--json")
    assert result.exit_code == 0
    [answer] = [json.loads(line) for line in result.stdout.splitlines()]
    assert answer["photos"] == [str(first), str(second), str(third)]
    assert answer["caption"] == "a person reads"
    [only] = answer["faces"]
    assert only["caption"] == "oval face, wavy brown hair"
    assert [match["celebrity"] for match in only["matches"]] == ["star-9", "star-10"]
    shown = lookalike(*arguments)
    assert shown.exit_code == 0
    assert "Star 9" in shown.stdout
    title = shown.stdout.replace("\n", "")
    assert all(path.name in title for path in (first, second, third))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (analysis(), "no face was found in {name}:"),
        (analysis(face()), "{name} does not seem to show the person of the first photo"),
    ],
)
def test_a_photo_that_does_not_show_the_person_is_named(lookalike, photo, fake, answer, words):
    """By its file, not by a number; nothing is answered."""
    first, second = photo("first.jpg", "teal"), photo("second.jpg", "navy")
    for one in answer.faces:
        one.caption.text = "round face"
    scripts = {first.read_bytes(): analysis(face()), second.read_bytes(): answer}
    fake.script = lambda data: scripts[data]
    result = lookalike("describe", first, second, "--together")
    assert result.exit_code == 4
    assert words.format(name=second).lower() in result.stderr.lower()
    assert result.stdout == ""


def test_one_photo_is_not_several(lookalike, photo, fake):
    """Too few or too many are refused before anything is sent."""
    result = lookalike("describe", photo(), "--together")
    assert result.exit_code == 2
    assert "2 to 10" in result.stderr
    assert lookalike("describe", *[photo()] * 11, "--together").exit_code == 2
    assert fake.calls == []
