"""Tests of the language of face descriptions."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_server.analysis import Attribute
from model_server.captioning.face_grammar import (
    ATTRIBUTES,
    NEUTRAL,
    contradictions,
    describe,
    parse,
)

ALL = [Attribute(name, value) for name, values in ATTRIBUTES.items() for value in values]


@st.composite
def faces(draw: st.DrawFn) -> tuple[Attribute, ...]:
    """Consistent sets of attributes, in the grammar's order."""
    names = draw(st.sets(st.sampled_from(sorted(ATTRIBUTES))))
    chosen = {name: draw(st.sampled_from(ATTRIBUTES[name])) for name in names}
    if chosen.get("hair_style") == "bald":
        chosen.pop("hair_color", None)
        chosen.pop("hairline", None)
    if chosen.get("face_shape") in {"square", "round", "heart"}:
        chosen.pop("jawline", None)
    return tuple(Attribute(name, chosen[name]) for name in ATTRIBUTES if name in chosen)


@given(face=faces(), seed=st.integers(0, 2**32))
def test_parse_inverts_describe(face: tuple[Attribute, ...], seed: int) -> None:
    """Whatever the wording, the attributes are read back, all and no others."""
    assert parse(describe(face, random.Random(seed))) == face
    assert parse(describe(face)) == face


@given(face=faces(), seed=st.integers(0, 2**32))
def test_commas_do_not_matter(face: tuple[Attribute, ...], seed: int) -> None:
    """A decoder whose vocabulary has no comma is understood as well."""
    text = describe(face, random.Random(seed)).replace(",", "").replace("-", " ")
    assert parse(text) == face


@given(face=faces(), seed=st.integers(0, 2**32))
def test_seed_decides_the_words(face: tuple[Attribute, ...], seed: int) -> None:
    """The same seed gives the same words, which contradict nothing and are never none."""
    text = describe(face, random.Random(seed))
    assert text == describe(face, random.Random(seed))
    assert text.strip()
    assert contradictions(text) == ()


@given(text=st.text())
def test_parse_takes_anything(text: str) -> None:
    """Any text gives a consistent set, which can be put into words again."""
    found = parse(text)
    assert parse(describe(found)) == found


@given(words=st.lists(st.sampled_from(" ".join(describe([one]) for one in ALL).split())))
def test_parse_takes_word_salad(words: list[str]) -> None:
    """The grammar's own words in any order give a consistent set."""
    found = parse(" ".join(words))
    assert len({attribute.name for attribute in found}) == len(found)
    assert parse(describe(found)) == found


@pytest.mark.parametrize("attribute", ALL, ids=lambda one: f"{one.name}-{one.value}")
def test_every_value_has_words_of_its_own(attribute: Attribute) -> None:
    """No two values share a wording."""
    for seed in range(8):
        assert parse(describe([attribute], random.Random(seed))) == (attribute,)


def test_order_is_fixed() -> None:
    """The order of the attributes given does not show in the words."""
    face = [Attribute("age_group", "young"), Attribute("face_shape", "oval")]
    assert describe(face) == describe(reversed(face)) == "oval face, young adult"


def test_hair_is_said_in_one_phrase() -> None:
    """Style and colour share the noun."""
    face = [Attribute("hair_color", "brown"), Attribute("hair_style", "wavy")]
    assert describe(face) == "wavy brown hair"


def test_nothing_to_say_is_still_said() -> None:
    """Without attributes there is a description, and it names none."""
    assert describe([]) == NEUTRAL
    assert parse(NEUTRAL) == ()


def test_unknown_phrases_are_passed_over() -> None:
    """Words of no meaning, and things denied, add nothing."""
    assert parse("an Oval face!! a purple moustachio; no beard, without glasses") == (
        Attribute("face_shape", "oval"),
    )


def test_first_mention_counts() -> None:
    """Of two phrases that exclude each other the first one is believed."""
    assert parse("bald head, brown hair, round face, oval face") == (
        Attribute("face_shape", "round"),
        Attribute("hair_style", "bald"),
    )


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("bald head, brown hair", 1),
        ("bald head, wavy brown hair, bangs", 3),
        ("oval face, round face", 1),
        ("square face, tapered jawline", 1),
        ("oval face, brown hair, oval face", 0),
        ("", 0),
    ],
)
def test_contradictions_are_counted(text: str, count: int) -> None:
    """Each pair of phrases that no face answers to is one contradiction."""
    assert len(contradictions(text)) == count


@pytest.mark.parametrize(
    "face",
    [
        [Attribute("hair_style", "bald"), Attribute("hair_color", "brown")],
        [Attribute("face_shape", "oval"), Attribute("face_shape", "round")],
        [Attribute("hair_color", "purple")],
        [Attribute("weight", "heavy")],
    ],
)
def test_impossible_faces_are_refused(face: list[Attribute]) -> None:
    """Contradictory and unknown attributes are errors of the caller."""
    with pytest.raises(ValueError, match=r"contradicts|there is no"):
        describe(face)


def test_words_are_kind_and_presume_no_gender() -> None:
    """No wording is about gender, looks, weight, skin or ethnicity."""
    banned = {
        "man", "woman", "male", "female", "he", "she", "his", "her", "boy", "girl", "lady",
        "attractive", "ugly", "pretty", "handsome", "beautiful", "fat", "chubby", "thick", "double",
        "skin", "pale", "dark", "white", "asian", "african", "shaven", "old", "big-nosed",
        "narrow", "wide", "bags", "wrinkles",
    }  # fmt: skip
    for seed in range(32):
        for attribute in ALL:
            assert not banned & set(describe([attribute], random.Random(seed)).split())
