"""``lookalike card``."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tests.support.fake_server import analysis, face


@pytest.mark.parametrize(
    ("name", "file_format"), [("out.png", "PNG"), ("out.JPG", "JPEG"), ("out.webp", "WEBP")]
)
def test_the_card_is_written_in_the_format_of_its_name(lookalike, photo, name, file_format):
    """A picture that other programs open."""
    result = lookalike("card", photo(), "-o", name)
    assert result.exit_code == 0
    with Image.open(name) as picture:
        picture.load()
        assert picture.format == file_format
        assert picture.width == 960


def test_the_portrait_is_credited(lookalike, photo):
    """Licences want the artist named wherever the picture goes."""
    result = lookalike("card", photo(), "-o", "out.png")
    assert "A. Painter, CC BY-SA 4.0" in result.stderr


def test_the_portraits_are_on_it(lookalike, photo, fake):
    """The gold portrait of the fake is beside the face."""
    lookalike("card", photo(), "-o", "out.png")
    with Image.open("out.png") as picture:
        colors = picture.quantize(16).convert("RGB").getcolors() or []
    assert any(abs(r - 255) < 20 and abs(g - 215) < 20 and b < 40 for _, (r, g, b) in colors)


def test_only_so_many_faces(lookalike, photo, fake):
    """The server is asked for no more."""
    fake.script = lambda _: analysis(*(face(x=n) for n in range(5)))
    lookalike("card", photo(), "-o", "out.png", "--faces", "2")
    assert fake.calls[0][1].match_options.max_faces == 2
    assert fake.count("GetCelebrityPortrait") == 1  # the same star for each face


def test_without_a_face_there_is_no_card(lookalike, photo, fake, tmp_path):
    """Said, with what the photo shows instead."""
    fake.script = lambda _: analysis(caption="a dog runs")
    result = lookalike("card", photo(), "-o", "out.png")
    assert result.exit_code == 4
    assert "no face" in result.stderr
    assert "a dog runs" in result.stderr
    assert not (tmp_path / "out.png").exists()


def test_another_ending_is_refused_before_the_work(lookalike, photo, fake):
    """Of a file that could not be written nobody has anything."""
    result = lookalike("card", photo(), "-o", "out.bmp")
    assert result.exit_code == 2
    assert ".png" in result.stderr
    assert fake.calls == []


def test_a_place_that_cannot_be_written_is_an_error(lookalike, photo):
    """No stack trace."""
    result = lookalike("card", photo(), "-o", "no/such/folder/out.png")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_a_dash_writes_to_standard_output(lookalike, photo):
    """For pipes."""
    result = lookalike("card", photo(), "-o", "-")
    assert result.exit_code == 0
    with Image.open(io.BytesIO(result.stdout_bytes)) as picture:
        assert picture.format == "PNG"
