"""``lookalike describe``."""

from __future__ import annotations

import json

import grpc
import pytest

from tests.support.fake_server import Failure, analysis, face, picture


def objects(result):
    """The JSON objects printed, one a line."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_json_has_exactly_the_promised_shape(lookalike, photo, fake):
    """Scripts rely on these keys and no others."""
    path = photo()
    result = lookalike("describe", path, "--json", "--top", "2")
    assert result.exit_code == 0
    assert objects(result) == [
        {
            "photo": str(path),
            "caption": "a person smiles",
            "faces": [
                {
                    "box": [10, 10, 40, 40],
                    "caption": "oval face, wavy brown hair",
                    "matches": [
                        {
                            "celebrity": "star-1",
                            "name": "Star 1",
                            "similarity": 0.9,
                            "likeness": 90.0,
                        },
                        {
                            "celebrity": "star-2",
                            "name": "Star 2",
                            "similarity": 0.85,
                            "likeness": 85.0,
                        },
                    ],
                }
            ],
            "timings_ms": {"total": 120.0},
        }
    ]


def test_without_a_face_the_list_is_empty(lookalike, photo, fake):
    """No face is a result, not an error."""
    fake.script = lambda _: analysis(caption="a dog runs")
    result = lookalike("describe", photo(), "--json")
    assert (result.exit_code, objects(result)[0]["faces"]) == (0, [])


def test_one_object_a_photo_in_the_order_of_the_arguments(lookalike, photo, fake):
    """Photos are asked for at the same time, but answered in order."""
    fake.script = lambda content: analysis(caption=f"{len(content)} bytes")
    names = [photo(f"{n}.jpg", color) for n, color in enumerate(["red", "teal", "gold"] * 4)]
    result = lookalike("describe", *names, "--json")
    assert [o["photo"] for o in objects(result)] == [str(name) for name in names]
    assert [o["caption"] for o in objects(result)] == [
        f"{name.stat().st_size} bytes" for name in names
    ]
    assert fake.most_in_flight <= 4


def test_text_names_caption_description_and_look_alikes(lookalike, photo):
    """What a person wants to read is there."""
    result = lookalike("describe", photo(), "--top", "2")
    assert result.exit_code == 0
    text = result.stdout
    assert "A person smiles." in text
    assert "oval face, wavy brown hair" in text
    assert "1. Star 1" in text
    assert "90 of 100" in text
    assert "Star 3" not in text


def test_several_faces_are_numbered(lookalike, photo, fake):
    """Each face has its own list."""
    fake.script = lambda _: analysis(face(x=100, first=4), face(x=10, first=8))
    text = lookalike("describe", photo()).stdout
    assert text.index("Face 1") < text.index("Star 8") < text.index("Face 2") < text.index("Star 4")


def test_no_face_says_what_would_help(lookalike, photo, fake):
    """The caption and a friendly line."""
    fake.script = lambda _: analysis(caption="a dog runs")
    text = lookalike("describe", photo()).stdout
    assert "A dog runs." in text
    assert "no face" in text


def test_the_language_of_the_terminal_is_spoken(lookalike, photo, monkeypatch):
    """Face descriptions are built in the user's language; the caption stays English."""
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    text = lookalike("describe", photo()).stdout
    assert "A person smiles." in text
    assert "ovales Gesicht" in text
    assert "90 von 100" in text


def test_an_unreadable_file_does_not_stop_the_others(lookalike, photo, tmp_path):
    """It is named on standard error, and the exit code tells."""
    result = lookalike("describe", tmp_path / "gone.jpg", photo(), "--json")
    assert result.exit_code == 4
    assert len(objects(result)) == 1
    assert "gone.jpg cannot be read: No such file" in result.stderr


def test_a_broken_photo_does_not_stop_the_others(lookalike, photo, fake):
    """The server's words are shown beside the file's name."""

    def script(content):
        if content.startswith(b"\x89PNG"):
            raise Failure(grpc.StatusCode.INVALID_ARGUMENT, "CORRUPT_PHOTO", "the file is damaged")
        return analysis()

    fake.script = script
    bad = photo("bad.png", file_format="PNG")
    result = lookalike("describe", bad, photo(), "--json")
    assert result.exit_code == 4
    assert len(objects(result)) == 1
    assert "bad.png: The file is damaged" in result.stderr


def test_a_server_that_goes_away_ends_the_command(lookalike, photo, fake, monkeypatch):
    """There is no use in asking about the other photos."""
    monkeypatch.setenv("LOOKALIKE_DEADLINE_S", "0.3")
    fake.failures = [Failure(grpc.StatusCode.UNAVAILABLE, "NOT_READY")] * 50
    result = lookalike("describe", photo(), "--json")
    assert result.exit_code == 3
    assert "make run" in result.stderr
    assert result.stdout == ""


def test_a_wrong_token_is_said_once(lookalike, photo, fake):
    """With the setting to look at."""
    fake.failures = [
        Failure(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", "the token is not valid")
    ]
    result = lookalike("describe", photo())
    assert result.exit_code == 5
    assert "LOOKALIKE_SERVER_TOKEN" in result.stderr


def test_no_server_says_what_to_do(call, photo):
    """No stack trace: start one, name another, or go without."""
    result = call("describe", photo(), "--server", "127.0.0.1:1")
    assert result.exit_code == 3
    for remedy in ("no model server at 127.0.0.1:1", "make run", "--server", "--embedded"):
        assert remedy in result.stderr
    assert "Traceback" not in result.output


def test_a_server_that_is_loading_is_waited_for(call, photo, monkeypatch, fake):
    """A health check that says "alive, not ready" is asked again."""
    from bots.core.client import LookalikeClient

    answers = iter([False, True, False, True, True])

    async def is_serving(_, service="models"):
        return next(answers)

    monkeypatch.setattr(LookalikeClient, "is_serving", is_serving)
    result = call("describe", photo(), "--json", "--server", fake.address)
    assert result.exit_code == 0


def test_server_and_embedded_exclude_each_other(call, photo):
    """Which of the two was meant?"""
    result = call("describe", photo(), "--server", "x:1", "--embedded")
    assert result.exit_code == 2


def test_a_setting_that_does_not_fit_is_named(call, photo, monkeypatch):
    """The variable, and what is wrong with it."""
    monkeypatch.setenv("LOOKALIKE_DEADLINE_S", "soon")
    result = call("describe", photo())
    assert result.exit_code == 2
    assert "LOOKALIKE_DEADLINE_S" in result.stderr


def test_standard_input_is_a_photo_too(lookalike):
    """Photos can come through a pipe."""
    result = lookalike("describe", "-", "--json", input=picture())
    assert objects(result)[0]["photo"] == "-"


def test_a_folder_stands_for_its_photos(lookalike, photo, tmp_path):
    """Sorted, with folders below it, without other files."""
    photo("set/b.JPG")
    photo("set/a.png")
    photo("set/deep/c.webp")
    photo("set/.hidden.jpg")
    (tmp_path / "set" / "notes.txt").write_text("no photo")
    result = lookalike("describe", tmp_path / "set", "--json")
    names = [o["photo"].rsplit("/", 1)[-1] for o in objects(result)]
    assert names == ["a.png", "b.JPG", "c.webp"]


def test_a_pattern_that_the_shell_left_alone_is_expanded(lookalike, photo):
    """As on Windows, or in quotes."""
    photo("one.jpg")
    photo("two.jpg")
    assert len(objects(lookalike("describe", "*.jpg", "--json"))) == 2


@pytest.mark.parametrize("argument", ["empty", "*.nothing"])
def test_a_folder_or_pattern_without_photos_is_an_error(lookalike, tmp_path, argument):
    """Silence would look like success."""
    (tmp_path / "empty").mkdir()
    result = lookalike("describe", argument)
    assert result.exit_code == 4
    assert argument in result.stderr


def test_a_file_that_no_server_takes_is_not_sent(lookalike, tmp_path, fake):
    """What is over the size of a message is refused before it is sent."""
    (tmp_path / "big.jpg").write_bytes(bytes(26_000_000))
    result = lookalike("describe", tmp_path / "big.jpg")
    assert result.exit_code == 4
    assert "smaller copy" in result.stderr
    assert fake.calls == []


def test_names_cannot_steer_the_terminal(lookalike, photo, fake):
    """Escape sequences and markup in names are shown, not obeyed."""

    def script(_):
        response = analysis(face(matches=1), caption="a \x1b[31mred\x1b]0;title\x07 thing")
        response.faces[0].matches[0].celebrity.display_name = "[bold]Eve[/bold]\x1b[2J"
        return response

    fake.script = script
    text = lookalike("describe", photo()).stdout
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[bold]Eve[/bold]" in text


def test_tags_and_top_reach_the_server(lookalike, photo, fake):
    """The search is filtered there."""
    lookalike("describe", photo(), "--json", "--tag", "field:actor", "--tag", "country:india")
    options = fake.calls[0][1].match_options
    assert list(options.required_tags) == ["field:actor", "country:india"]
    assert not options.include_crops
