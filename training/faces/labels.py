"""Which attributes a face shows: by the rank of its scores, the uncertain middle left out.

Scores come from FaRL (trained on CelebA) and from the geometry of the face mesh. FaRL's scores
are not calibrated on other photos, but they rank well. So each value of an attribute has a rule:
the share of faces, counted from the highest score, that surely show it, and the larger share
beyond which faces surely do not. Between the two nothing is known, and nothing is learnt.

The shares start from how common an attribute is in CelebA among faces of the same ages and sexes
as here (:func:`base_rates`), which were then moved to where the scores' two humps part (glasses,
hats, beards, smiles, bald heads) and lowered where CelebA's annotators were generous.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_server.analysis import Attribute
from model_server.captioning.face_grammar import ATTRIBUTES, contradictions, describe

__all__ = [
    "ABSENT",
    "PRESENT",
    "RULES",
    "UNKNOWN",
    "VALUES",
    "Labels",
    "Rule",
    "base_rates",
    "combine_scores",
    "exclusive_columns",
    "label",
]

Floats = npt.NDArray[np.float64]

VALUES = tuple(Attribute(name, value) for name, values in ATTRIBUTES.items() for value in values)
"""Every value of every attribute: the columns of :class:`Labels`."""

PRESENT, ABSENT, UNKNOWN = 1, 0, -1


@dataclass(frozen=True, slots=True)
class Rule:
    """When a face shows a value.

    Attributes:
        present: Share of faces, from the highest score down, that show it.
        possible: Share beyond which faces do not show it.
    """

    present: float
    possible: float


RULES: Mapping[Attribute, Rule] = {
    Attribute(name, value): Rule(present, possible)
    for name, value, present, possible in (
        ("face_shape", "oval", 0.17, 0.35),
        ("face_shape", "round", 0.08, 0.22),
        ("face_shape", "square", 0.08, 0.22),
        ("face_shape", "heart", 0.08, 0.22),
        ("face_shape", "long", 0.10, 0.25),
        ("jawline", "strong", 0.12, 0.28),
        ("jawline", "tapered", 0.12, 0.28),
        ("forehead", "high", 0.10, 0.26),
        ("forehead", "broad", 0.08, 0.24),
        ("eyebrows", "bushy", 0.09, 0.20),
        ("eyebrows", "arched", 0.11, 0.22),
        ("eyebrows", "straight", 0.10, 0.28),
        ("eyes", "large", 0.12, 0.28),
        ("eyes", "almond", 0.08, 0.24),
        ("eyes", "wide_set", 0.07, 0.24),
        ("eyes", "close_set", 0.07, 0.24),
        ("nose", "prominent", 0.15, 0.32),
        ("nose", "pointed", 0.13, 0.28),
        ("nose", "small", 0.10, 0.26),
        ("cheekbones", "high", 0.22, 0.40),
        ("lips", "full", 0.12, 0.25),
        ("lips", "thin", 0.10, 0.28),
        ("hair_style", "straight", 0.17, 0.35),
        ("hair_style", "wavy", 0.12, 0.24),
        ("hair_style", "bald", 0.07, 0.13),
        ("hair_color", "black", 0.12, 0.24),
        ("hair_color", "brown", 0.17, 0.35),
        ("hair_color", "blond", 0.07, 0.13),
        ("hair_color", "gray", 0.24, 0.38),
        ("hairline", "bangs", 0.045, 0.11),
        ("hairline", "receding", 0.12, 0.25),
        ("beard", "beard", 0.03, 0.06),
        ("beard", "goatee", 0.02, 0.05),
        ("beard", "moustache", 0.035, 0.07),
        ("beard", "stubble", 0.04, 0.12),
        ("glasses", "eyeglasses", 0.165, 0.20),
        ("hat", "hat", 0.052, 0.09),
        ("expression", "broad_smile", 0.24, 0.36),
        ("expression", "slight_smile", 0.12, 0.24),
        ("expression", "calm", 0.30, 0.48),
        ("age_group", "young", 0.22, 0.42),
        ("age_group", "middle_aged", 0.25, 0.50),
        ("age_group", "senior", 0.14, 0.28),
    )
}
"""One rule for each of :data:`VALUES`; shares of the training faces that have a score."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What is known of each face.

    Attributes:
        table: Shape (N, len(VALUES)), int8: 1 present, 0 absent, -1 unknown.
        thresholds: Per value, the scores that bound what is unknown: (absent below, present from).
    """

    table: npt.NDArray[np.int8]
    thresholds: Mapping[Attribute, tuple[float, float]]

    def attributes(self, row: int) -> tuple[Attribute, ...]:
        """What is surely present on the face."""
        present = self.table[row] == PRESENT
        return tuple(value for value, shown in zip(VALUES, present, strict=True) if shown)


def label(scores: Mapping[Attribute, Floats], fit_on: npt.NDArray[np.bool_]) -> Labels:
    """Labels faces by :data:`RULES`.

    A face gets at most one value of each attribute, and no two that contradict each other: the
    one deepest within its share stays, the others become unknown.

    Args:
        scores: For each of :data:`VALUES`, shape (N,); NaN where nothing is known.
        fit_on: Shape (N,): the faces whose ranks decide on the thresholds.
    """
    count = len(fit_on)
    table = np.full((count, len(VALUES)), UNKNOWN, np.int8)
    depth = np.zeros((count, len(VALUES)))  # 0: just present, 1: the highest score
    thresholds: dict[Attribute, tuple[float, float]] = {}
    for column, value in enumerate(VALUES):
        score, rule = scores[value], RULES[value]
        ranked = np.sort(score[fit_on & np.isfinite(score)])
        absent_below, present_from = np.quantile(ranked, [1 - rule.possible, 1 - rule.present])
        thresholds[value] = (float(absent_below), float(present_from))
        table[score < absent_below, column] = ABSENT
        table[score >= present_from, column] = PRESENT
        share_above = 1 - np.searchsorted(ranked, score) / len(ranked)
        depth[:, column] = 1 - share_above / rule.present
    for first, second in exclusive_columns():
        both = (table[:, first] == PRESENT) & (table[:, second] == PRESENT)
        first_stays = depth[:, first] >= depth[:, second]
        table[both & first_stays, second] = UNKNOWN
        table[both & ~first_stays, first] = UNKNOWN
    return Labels(table, thresholds)


@functools.cache
def exclusive_columns() -> tuple[tuple[int, int], ...]:
    """Pairs of columns that no face shows at once."""
    pairs: list[tuple[int, int]] = []
    for first, one in enumerate(VALUES):
        for second, other in enumerate(VALUES[first + 1 :], first + 1):
            if one.name == other.name or contradictions(f"{describe([one])}, {describe([other])}"):
                pairs.append((first, second))
    return tuple(pairs)


def combine_scores(
    farl: Mapping[str, Floats], geometry: Mapping[str, Floats], fit_on: npt.NDArray[np.bool_]
) -> dict[Attribute, Floats]:
    """A score for each of :data:`VALUES`: the higher, the surer that a face shows it.

    Args:
        farl: CelebA's attributes, 0..1, and "age_estimate", years; shape (N,) each.
        geometry: Measures in standard deviations, see :mod:`training.faces.geometry`.
        fit_on: Shape (N,): the faces whose means, deviations and percentiles are meant.
    """
    g = geometry
    logit = {name: _logit(farl[name]) for name in farl if name != "age_estimate"}
    z = {name: _standardise(values, fit_on) for name, values in logit.items()}

    def chance(name: str, even: float) -> Floats:
        """Probability, if ``even`` is the score at which both are as likely."""
        chances: Floats = 1 / (1 + np.exp(_logit(np.array(even)) - logit[name]))
        return chances

    smiling, open_mouth = chance("Smiling", 0.12), farl["Mouth_Slightly_Open"]
    beard = 1 - farl["No_Beard"]
    moustache = chance("Mustache", 0.10)
    goatee, sideburns = chance("Goatee", 0.06), chance("Sideburns", 0.06)
    youth = z["Young"] - _standardise(farl["age_estimate"], fit_on)
    return {
        Attribute(*key.split(".")): score
        for key, score in {
            "face_shape.oval": z["Oval_Face"] + 0.3 * (g["aspect"] - g["jaw"]),
            "face_shape.round": g["chin"] - g["aspect"],
            "face_shape.square": g["jaw"] - 0.5 * np.abs(g["aspect"]),
            "face_shape.heart": g["forehead_width"] - g["chin"],
            "face_shape.long": g["aspect"],
            "jawline.strong": g["jaw"],
            "jawline.tapered": -g["chin"],
            "forehead.high": g["forehead_height"] + z["Receding_Hairline"],
            "forehead.broad": g["forehead_width"],
            "eyebrows.bushy": logit["Bushy_Eyebrows"],
            "eyebrows.arched": logit["Arched_Eyebrows"],
            "eyebrows.straight": -g["brow_arch"] - 0.5 * z["Arched_Eyebrows"],
            "eyes.large": g["eye_opening"] + g["eye_width"],
            "eyes.almond": g["eye_width"] - g["eye_opening"],
            "eyes.wide_set": g["eye_distance"],
            "eyes.close_set": -g["eye_distance"],
            "nose.prominent": logit["Big_Nose"],
            "nose.pointed": logit["Pointy_Nose"],
            "nose.small": -g["nose_length"] - g["nose_width"] - z["Big_Nose"],
            "cheekbones.high": logit["High_Cheekbones"],
            "lips.full": logit["Big_Lips"],
            "lips.thin": -g["lip_height"] - z["Big_Lips"],
            "hair_style.straight": logit["Straight_Hair"],
            "hair_style.wavy": logit["Wavy_Hair"],
            "hair_style.bald": logit["Bald"],
            "hair_color.black": logit["Black_Hair"],
            "hair_color.brown": logit["Brown_Hair"],
            "hair_color.blond": logit["Blond_Hair"],
            "hair_color.gray": logit["Gray_Hair"],
            "hairline.bangs": logit["Bangs"],
            "hairline.receding": logit["Receding_Hairline"],
            "beard.beard": beard * sideburns,
            "beard.goatee": beard * goatee * (1 - sideburns),
            "beard.moustache": beard * moustache * (1 - goatee) * (1 - sideburns),
            "beard.stubble": chance("5_o_Clock_Shadow", 0.1) * (1 - np.maximum(goatee, moustache)),
            "glasses.eyeglasses": logit["Eyeglasses"],
            "hat.hat": logit["Wearing_Hat"],
            "expression.broad_smile": smiling * open_mouth,
            "expression.slight_smile": smiling * (1 - open_mouth),
            "expression.calm": (1 - smiling) * (1 - open_mouth),
            "age_group.young": youth,
            "age_group.middle_aged": -np.abs(_percentile(youth, fit_on) - 0.32),
            "age_group.senior": -youth,
        }.items()
    }


def _logit(probability: Floats) -> Floats:
    # The scores have three digits.
    clipped = np.clip(probability, 0.0005, 0.9995)
    logits: Floats = np.log(clipped / (1 - clipped))
    return logits


def _standardise(values: Floats, fit_on: npt.NDArray[np.bool_]) -> Floats:
    fitted = values[fit_on]
    standardised: Floats = (values - np.nanmean(fitted)) / np.nanstd(fitted)
    return standardised


def _percentile(values: Floats, fit_on: npt.NDArray[np.bool_]) -> Floats:
    """Share of the known values of those fitted on that are below each, 0..1; NaN stays."""
    known = np.sort(values[fit_on & np.isfinite(values)])
    shares: Floats = np.searchsorted(known, values) / max(len(known), 1)
    shares[~np.isfinite(values)] = np.nan
    return shares


def base_rates(
    celeba: Mapping[str, npt.NDArray[np.bool_]], farl: Mapping[str, Floats]
) -> dict[str, float]:
    """How common CelebA's attributes are among faces of the sexes and ages of other photos.

    Args:
        celeba: Its labels by attribute.
        farl: Scores of the other photos; "Male" and "Young", cut at 0.5, give the mix.
    """
    known = np.isfinite(farl["Male"])
    male, young = farl["Male"][known] > 0.5, farl["Young"][known] > 0.5
    weights = np.zeros(len(celeba["Male"]))
    for is_male in (False, True):
        for is_young in (False, True):
            group = (celeba["Male"] == is_male) & (celeba["Young"] == is_young)
            weights[group] = ((male == is_male) & (young == is_young)).mean() / max(group.sum(), 1)
    return {name: float(weights[shown].sum()) for name, shown in celeba.items()}
