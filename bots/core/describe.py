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


def P_(_context: str, text: str) -> str:  # noqa: N802 - as gettext's tools know it
    """Marks ``text`` for translation, in a context."""
    return text


PHRASES: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("face_shape", "oval"): P_("face", "oval face"),
        ("face_shape", "round"): P_("face", "round face"),
        ("face_shape", "square"): P_("face", "square face"),
        ("face_shape", "heart"): P_("face", "heart-shaped face"),
        ("face_shape", "long"): P_("face", "long face"),
        ("jawline", "strong"): P_("face", "strong jawline"),
        ("jawline", "soft"): P_("face", "soft jawline"),
        ("jawline", "tapered"): P_("face", "tapered jawline"),
        ("forehead", "high"): P_("face", "high forehead"),
        ("forehead", "broad"): P_("face", "broad forehead"),
        ("eyebrows", "bushy"): P_("face", "bushy eyebrows"),
        ("eyebrows", "arched"): P_("face", "arched eyebrows"),
        ("eyebrows", "straight"): P_("face", "straight eyebrows"),
        ("eyes", "large"): P_("face", "large eyes"),
        ("eyes", "almond"): P_("face", "almond-shaped eyes"),
        ("eyes", "wide_set"): P_("face", "wide-set eyes"),
        ("eyes", "close_set"): P_("face", "close-set eyes"),
        ("nose", "prominent"): P_("face", "prominent nose"),
        ("nose", "pointed"): P_("face", "pointed nose"),
        ("nose", "small"): P_("face", "small nose"),
        ("cheekbones", "high"): P_("face", "high cheekbones"),
        ("lips", "full"): P_("face", "full lips"),
        ("lips", "thin"): P_("face", "thin lips"),
        ("hair_style", "straight"): P_("face", "straight hair"),
        ("hair_style", "wavy"): P_("face", "wavy hair"),
        ("hair_style", "bald"): P_("face", "bald head"),
        ("hair_color", "black"): P_("face", "black hair"),
        ("hair_color", "brown"): P_("face", "brown hair"),
        ("hair_color", "blond"): P_("face", "blond hair"),
        ("hair_color", "gray"): P_("face", "gray hair"),
        ("hairline", "bangs"): P_("face", "bangs"),
        ("hairline", "receding"): P_("face", "high hairline"),
        ("beard", "beard"): P_("face", "beard"),
        ("beard", "goatee"): P_("face", "goatee"),
        ("beard", "moustache"): P_("face", "moustache"),
        ("beard", "stubble"): P_("face", "stubble"),
        ("glasses", "eyeglasses"): P_("face", "glasses"),
        ("hat", "hat"): P_("face", "hat"),
        ("expression", "broad_smile"): P_("face", "broad smile"),
        ("expression", "slight_smile"): P_("face", "slight smile"),
        ("expression", "calm"): P_("face", "calm expression"),
        ("age_group", "young"): P_("face", "young adult"),
        ("age_group", "middle_aged"): P_("face", "middle-aged"),
        ("age_group", "senior"): P_("face", "older adult"),
    }
)
"""(attribute, value) → its words."""

HAIR: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("straight", "black"): P_("face", "straight black hair"),
        ("straight", "brown"): P_("face", "straight brown hair"),
        ("straight", "blond"): P_("face", "straight blond hair"),
        ("straight", "gray"): P_("face", "straight gray hair"),
        ("wavy", "black"): P_("face", "wavy black hair"),
        ("wavy", "brown"): P_("face", "wavy brown hair"),
        ("wavy", "blond"): P_("face", "wavy blond hair"),
        ("wavy", "gray"): P_("face", "wavy gray hair"),
    }
)
"""(style, colour) → the words for both."""

NEUTRAL = P_("face", "balanced features")


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
    separator = texts.in_context(CONTEXT, P_("face", ", "))
    return separator.join(_phrases(values, texts)) or texts.in_context(CONTEXT, NEUTRAL)


def _phrases(values: Mapping[str, str], texts: Texts) -> Iterable[str]:
    hair = HAIR.get((values.get("hair_style", ""), values.get("hair_color", "")))
    for name, value in values.items():
        if hair and name == "hair_color":
            continue
        phrase = hair if hair and name == "hair_style" else PHRASES[name, value]
        yield texts.in_context(CONTEXT, phrase)
