"""Face descriptions in every language of the bots.

The server names attributes and their values; here each pair has its words. A hair style
and a hair colour are one phrase, for few languages put them together as English does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from bots.core.languages import Texts
from lookalike.v1 import photo_pb2

__all__ = ["CONTEXT", "HAIR", "PHRASES", "describe_face"]

CONTEXT = "face"
"""gettext context of all words for faces."""


def N_(text: str) -> str:  # noqa: N802 - the name that gettext's tools look for
    """Marks ``text`` for translation, in the context ``face``."""
    return text


PHRASES: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("face_shape", "oval"): N_("oval face"),
        ("face_shape", "round"): N_("round face"),
        ("face_shape", "square"): N_("square face"),
        ("face_shape", "heart"): N_("heart-shaped face"),
        ("face_shape", "long"): N_("long face"),
        ("jawline", "strong"): N_("strong jawline"),
        ("jawline", "soft"): N_("soft jawline"),
        ("jawline", "tapered"): N_("tapered jawline"),
        ("forehead", "high"): N_("high forehead"),
        ("forehead", "broad"): N_("broad forehead"),
        ("eyebrows", "bushy"): N_("bushy eyebrows"),
        ("eyebrows", "arched"): N_("arched eyebrows"),
        ("eyebrows", "straight"): N_("straight eyebrows"),
        ("eyes", "large"): N_("large eyes"),
        ("eyes", "almond"): N_("almond-shaped eyes"),
        ("eyes", "wide_set"): N_("wide-set eyes"),
        ("eyes", "close_set"): N_("close-set eyes"),
        ("nose", "prominent"): N_("prominent nose"),
        ("nose", "pointed"): N_("pointed nose"),
        ("nose", "small"): N_("small nose"),
        ("cheekbones", "high"): N_("high cheekbones"),
        ("lips", "full"): N_("full lips"),
        ("lips", "thin"): N_("thin lips"),
        ("hair_style", "straight"): N_("straight hair"),
        ("hair_style", "wavy"): N_("wavy hair"),
        ("hair_style", "bald"): N_("bald head"),
        ("hair_color", "black"): N_("black hair"),
        ("hair_color", "brown"): N_("brown hair"),
        ("hair_color", "blond"): N_("blond hair"),
        ("hair_color", "gray"): N_("gray hair"),
        ("hairline", "bangs"): N_("bangs"),
        ("hairline", "receding"): N_("high hairline"),
        ("beard", "beard"): N_("beard"),
        ("beard", "goatee"): N_("goatee"),
        ("beard", "moustache"): N_("moustache"),
        ("beard", "stubble"): N_("stubble"),
        ("glasses", "eyeglasses"): N_("glasses"),
        ("hat", "hat"): N_("hat"),
        ("expression", "broad_smile"): N_("broad smile"),
        ("expression", "slight_smile"): N_("slight smile"),
        ("expression", "calm"): N_("calm expression"),
        ("age_group", "young"): N_("young adult"),
        ("age_group", "middle_aged"): N_("middle-aged"),
        ("age_group", "senior"): N_("older adult"),
    }
)
"""(attribute, value) → its words."""

HAIR: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("straight", "black"): N_("straight black hair"),
        ("straight", "brown"): N_("straight brown hair"),
        ("straight", "blond"): N_("straight blond hair"),
        ("straight", "gray"): N_("straight gray hair"),
        ("wavy", "black"): N_("wavy black hair"),
        ("wavy", "brown"): N_("wavy brown hair"),
        ("wavy", "blond"): N_("wavy blond hair"),
        ("wavy", "gray"): N_("wavy gray hair"),
    }
)
"""(style, colour) → the words for both."""

NEUTRAL = N_("balanced features")


def describe_face(face: photo_pb2.Face, texts: Texts) -> str:
    """The description of a face in the language of ``texts``.

    Where the server brings no attributes, or one that has no words here (a newer server),
    its own English description is taken.

    Returns:
        Phrases joined by commas, without a full stop; empty where nothing is known.
    """
    values = {attribute.name: attribute.value for attribute in face.attributes}
    known = all(pair in PHRASES for pair in values.items())
    if texts.language == "en" and face.caption.text:
        return face.caption.text
    if not values and not face.caption.text:
        return ""
    if not known:
        return face.caption.text
    separator = texts.in_context(CONTEXT, ", ")
    return separator.join(_phrases(values, texts)) or texts.in_context(CONTEXT, NEUTRAL)


def _phrases(values: Mapping[str, str], texts: Texts) -> Iterable[str]:
    hair = HAIR.get((values.get("hair_style", ""), values.get("hair_color", "")))
    for name, value in values.items():
        if hair and name == "hair_color":
            continue
        phrase = hair if hair and name == "hair_style" else PHRASES[name, value]
        yield texts.in_context(CONTEXT, phrase)
