"""The language of face descriptions: typed attributes ↔ words.

    >>> text = describe([Attribute("face_shape", "oval"), Attribute("hair_color", "brown")])
    >>> text
    'oval face, brown hair'
    >>> parse(text)
    (Attribute(name='face_shape', value='oval'), Attribute(name='hair_color', value='brown'))

A description is a list of phrases in a fixed order, so that a decoder can learn it
and a caption can be scored by the attributes parsed back from it.

What is left out on purpose, because people do not want to hear it from a bot or
because it cannot be known from a picture: attractiveness, weight, skin, ethnicity,
make-up, bags under the eyes, and eyes called narrow or noses called broad, which
would stand for an ethnicity. Nothing says or presumes a gender: a beard is
described where it is seen, its absence ("clean-shaven") never.
Words for age follow the APA's advice on bias-free language.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from model_server.analysis import Attribute

__all__ = ["ATTRIBUTES", "NEUTRAL", "contradictions", "describe", "parse"]

NEUTRAL = "balanced features"
"""The description of a face of which nothing stands out."""

# attribute → value → its wordings; the first one is what captioners learn.
_WORDINGS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "face_shape": {
        "oval": ("oval face",),
        "round": ("round face",),
        "square": ("square face",),
        "heart": ("heart-shaped face",),
        "long": ("long face",),
    },
    "jawline": {
        "strong": ("strong jawline", "strong jaw"),
        "tapered": ("tapered jawline", "tapered jaw"),
    },
    "forehead": {
        "high": ("high forehead",),
        "broad": ("broad forehead",),
    },
    "eyebrows": {
        "bushy": ("bushy eyebrows", "full eyebrows"),
        "arched": ("arched eyebrows",),
        "straight": ("straight eyebrows",),
    },
    "eyes": {
        "large": ("large eyes", "big eyes"),
        "almond": ("almond-shaped eyes", "almond eyes"),
        "wide_set": ("wide-set eyes",),
        "close_set": ("close-set eyes",),
    },
    "nose": {
        "prominent": ("prominent nose", "strong nose"),
        "pointed": ("pointed nose",),
        "small": ("small nose",),
    },
    "cheekbones": {
        "high": ("high cheekbones",),
    },
    "lips": {
        "full": ("full lips",),
        "thin": ("thin lips",),
    },
    "hair_style": {
        "straight": ("straight hair",),
        "wavy": ("wavy hair",),
        "bald": ("bald head", "shaved head"),
    },
    "hair_color": {
        "black": ("black hair",),
        "brown": ("brown hair",),
        "blond": ("blond hair", "blonde hair"),
        "gray": ("gray hair", "silver hair", "grey hair"),
    },
    "hairline": {
        "bangs": ("bangs", "a fringe"),
        "receding": ("high hairline",),
    },
    "beard": {
        "beard": ("beard", "full beard"),
        "goatee": ("goatee",),
        "moustache": ("moustache", "mustache"),
        "stubble": ("stubble",),
    },
    "glasses": {
        "eyeglasses": ("glasses", "eyeglasses"),
    },
    "hat": {
        "hat": ("hat", "headwear"),
    },
    "expression": {
        "broad_smile": ("broad smile", "big smile"),
        "slight_smile": ("slight smile", "gentle smile"),
        "calm": ("calm expression", "calm look"),
    },
    "age_group": {
        "young": ("young adult",),
        "middle_aged": ("middle-aged",),
        "senior": ("older adult",),
    },
}

ATTRIBUTES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: tuple(values) for name, values in _WORDINGS.items()}
)
"""Attribute name → its values, in the order in which descriptions name them.

A face has at most one value of each attribute.
"""

# Values that no face has at once: each side names an attribute, or one value of it.
_EXCLUSIVE: tuple[tuple[tuple[str, str | None], tuple[str, str | None]], ...] = (
    (("hair_style", "bald"), ("hair_color", None)),
    (("hair_style", "bald"), ("hairline", None)),
    (("face_shape", "square"), ("jawline", "tapered")),
    (("face_shape", "round"), ("jawline", "strong")),
    (("face_shape", "heart"), ("jawline", "strong")),
)

_NAMES = tuple(ATTRIBUTES)


def describe(attributes: Iterable[Attribute], rng: random.Random | None = None) -> str:
    """Puts attributes into words.

    Args:
        attributes: In any order; at most one value of each attribute.
        rng: Chooses among the wordings; the same seed gives the same words.
            Without it the first wording is taken, which captioners learn.

    Returns:
        Lower-case phrases joined by ", "; never empty.

    Raises:
        ValueError: An attribute or value is unknown, or two contradict each other.
    """
    chosen: dict[str, Attribute] = {}
    for attribute in attributes:
        if attribute.value not in ATTRIBUTES.get(attribute.name, ()):
            raise ValueError(f"there is no {attribute.name} = {attribute.value}")
        for other in chosen.values():
            if _contradict(attribute, other):
                raise ValueError(
                    f"{attribute.name} = {attribute.value} contradicts {other.name} = {other.value}"
                )
        chosen[attribute.name] = attribute
    phrases: list[str] = []
    for name in _NAMES:
        if name == "hair_color" and chosen.keys() >= {"hair_color", "hair_style"}:
            continue  # said together with the style
        if name in chosen:
            phrases.append(_word(chosen, name, rng))
    return ", ".join(phrases) or NEUTRAL


def parse(text: str) -> tuple[Attribute, ...]:
    """Finds the attributes that a description names; the inverse of :func:`describe`.

    Takes any text: what is not understood is passed over, commas may be missing,
    and of two phrases that contradict each other the first one counts.

    Returns:
        In the order of :data:`ATTRIBUTES`, at most one value of each.
    """
    found: dict[str, Attribute] = {}
    for attribute in _mentions(text):
        if not any(_contradict(attribute, other) for other in found.values()):
            found[attribute.name] = attribute
    return tuple(found[name] for name in _NAMES if name in found)


def contradictions(text: str) -> tuple[tuple[Attribute, Attribute], ...]:
    """Pairs of attributes named in ``text`` that no face has at once."""
    mentioned = dict.fromkeys(_mentions(text))
    return tuple(
        (first, second)
        for first, second in itertools.combinations(mentioned, 2)
        if _contradict(first, second)
    )


def _contradict(one: Attribute, other: Attribute) -> bool:
    if one.name == other.name:
        return one.value != other.value
    return any(
        (_is(one, first) and _is(other, second)) or (_is(one, second) and _is(other, first))
        for first, second in _EXCLUSIVE
    )


def _is(attribute: Attribute, side: tuple[str, str | None]) -> bool:
    return attribute.name == side[0] and side[1] in {None, attribute.value}


def _word(chosen: Mapping[str, Attribute], name: str, rng: random.Random | None) -> str:
    wordings = _WORDINGS[name][chosen[name].value]
    phrase = rng.choice(wordings) if rng else wordings[0]
    if name == "hair_style" and "hair_color" in chosen:
        colored = _word({"hair_color": chosen["hair_color"]}, "hair_color", rng)
        return f"{phrase.removesuffix('hair')}{colored}"
    return phrase


def _normalise(text: str) -> str:
    """Lower-case words of letters, one space between them."""
    return " ".join(re.findall(r"[^\W\d_]+", text.lower()))


def _lexicon() -> dict[str, tuple[Attribute, ...]]:
    """Every phrase, normalised → what it says."""
    lexicon: dict[str, tuple[Attribute, ...]] = {
        _normalise(wording): (Attribute(name, value),)
        for name, values in _WORDINGS.items()
        for value, wordings in values.items()
        for wording in wordings
    }
    styles = {value: words for value, words in _WORDINGS["hair_style"].items() if value != "bald"}
    for (style, _), (color, wordings) in itertools.product(
        styles.items(), _WORDINGS["hair_color"].items()
    ):
        said = (Attribute("hair_style", style), Attribute("hair_color", color))
        for wording in wordings:
            shade = _normalise(wording).removesuffix("hair").strip()
            lexicon[f"{style} {shade} hair"] = said
            lexicon[f"{shade} {style} hair"] = said
    return lexicon


_LEXICON = _lexicon()
_PHRASE = re.compile(
    r"\b(?P<negation>(?:no|not|without) )?(?:an? )?(?P<phrase>"
    + "|".join(sorted(_LEXICON, key=len, reverse=True))
    + r")\b"
)


def _mentions(text: str) -> Iterable[Attribute]:
    """Attributes in the order in which the text names them."""
    for match in _PHRASE.finditer(_normalise(text)):
        if match["negation"] is None:
            yield from _LEXICON[match["phrase"]]
