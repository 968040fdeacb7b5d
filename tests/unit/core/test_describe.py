"""Face descriptions in words."""

from __future__ import annotations

from bots.core.describe import describe_face
from bots.core.languages import texts_for
from lookalike.v1 import photo_pb2
from tests.support.fake_server import face


def test_english_is_as_the_server_wrote_it() -> None:
    """The server's own words are the best English."""
    assert describe_face(face(), texts_for("en")) == "oval face, wavy brown hair"


def test_style_and_colour_of_hair_are_one_phrase() -> None:
    """Spanish says style and colour together, in its own order."""
    assert describe_face(face(), texts_for("es")) == "rostro ovalado, pelo castaño ondulado"
    assert describe_face(face(), texts_for("ar")) == "وجه بيضوي، شعر بني مموّج"


def test_an_attribute_of_a_newer_server_falls_back_to_english() -> None:
    """Half a description would be wrong: the server's own is taken whole."""
    newer = face()
    newer.attributes.add(name="ears", value="pointed")
    assert describe_face(newer, texts_for("es")) == "oval face, wavy brown hair"


def test_a_face_of_which_nothing_stands_out() -> None:
    """No attributes, but a description: the neutral words."""
    plain = photo_pb2.Face(caption=photo_pb2.Caption(text="balanced features"))
    assert describe_face(plain, texts_for("de")) == "ausgewogene Gesichtszüge"
    assert describe_face(photo_pb2.Face(), texts_for("de")) == ""
