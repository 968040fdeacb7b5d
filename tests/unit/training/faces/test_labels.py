"""Tests of labels by rank."""

from __future__ import annotations

import numpy as np
import pytest

from model_server.analysis import Attribute
from model_server.captioning.face_grammar import contradictions, describe
from training.faces.geometry import MEASURES
from training.faces.labels import (
    ABSENT,
    PRESENT,
    RULES,
    UNKNOWN,
    VALUES,
    base_rates,
    combine_scores,
    label,
)

FARL = (
    *("5_o_Clock_Shadow", "Arched_Eyebrows", "Bald", "Bangs", "Big_Lips", "Big_Nose"),
    *("Black_Hair", "Blond_Hair", "Brown_Hair", "Bushy_Eyebrows", "Eyeglasses", "Goatee"),
    *("Gray_Hair", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache", "No_Beard"),
    *("Oval_Face", "Pointy_Nose", "Receding_Hairline", "Sideburns", "Smiling"),
    *("Straight_Hair", "Wavy_Hair", "Wearing_Hat", "Young"),
)

COUNT = 1000

EVERYBODY = np.ones(COUNT, np.bool_)


@pytest.fixture
def farl() -> dict[str, np.ndarray]:
    """Random scores."""
    rng = np.random.default_rng(0)
    scores = {name: rng.uniform(0.01, 0.99, COUNT) for name in FARL}
    return scores | {"age_estimate": rng.uniform(20, 60, COUNT)}


@pytest.fixture
def scores(farl: dict[str, np.ndarray]) -> dict[Attribute, np.ndarray]:
    """A score for each value."""
    rng = np.random.default_rng(1)
    geometry = {name: rng.normal(size=COUNT) for name in MEASURES}
    return combine_scores(farl, geometry, EVERYBODY)


def test_every_value_has_a_rule_and_a_score(scores: dict[Attribute, np.ndarray]) -> None:
    """Grammar, rules and scores name the same values."""
    assert set(VALUES) == set(RULES) == set(scores)
    assert all(0 < rule.present < rule.possible < 1 for rule in RULES.values())


def test_shares_follow_the_rules(scores: dict[Attribute, np.ndarray]) -> None:
    """The top share is present, the bottom absent, and the uncertain middle is left out."""
    table = label(scores, EVERYBODY).table
    for column, value in enumerate(VALUES):
        rule = RULES[value]
        assert np.mean(table[:, column] == PRESENT) <= rule.present + 0.01
        assert np.mean(table[:, column] == ABSENT) == pytest.approx(1 - rule.possible, abs=0.01)
        assert np.mean(table[:, column] == UNKNOWN) >= rule.possible - rule.present - 0.01


def test_higher_score_is_never_less_present(scores: dict[Attribute, np.ndarray]) -> None:
    """Within a value, whoever is absent scores lower than whoever is present."""
    table = label(scores, EVERYBODY).table
    for column, value in enumerate(VALUES):
        shown, not_shown = table[:, column] == PRESENT, table[:, column] == ABSENT
        assert scores[value][shown].min() > scores[value][not_shown].max()


def test_no_face_contradicts_itself(scores: dict[Attribute, np.ndarray]) -> None:
    """What is present can be put into words: one value of each attribute, no bald brown hair."""
    labels = label(scores, EVERYBODY)
    for row in range(COUNT):
        assert contradictions(describe(labels.attributes(row))) == ()


def test_thresholds_come_from_training_faces(scores: dict[Attribute, np.ndarray]) -> None:
    """Other faces' scores change nothing in the labels of those fitted on."""
    training = np.arange(COUNT) < COUNT // 2
    shifted = {value: np.where(training, score, score + 100) for value, score in scores.items()}
    first, second = label(scores, training), label(shifted, training)
    assert first.thresholds == second.thresholds
    assert (first.table[training] == second.table[training]).all()


def test_scores_are_standardised_on_training_faces(farl: dict[str, np.ndarray]) -> None:
    """Other faces change nothing in the scores of those fitted on."""
    training = np.arange(COUNT) < COUNT // 2
    geometry = dict.fromkeys(MEASURES, np.zeros(COUNT))
    shifted = {name: np.where(training, score, score / 3) for name, score in farl.items()}
    first, second = (combine_scores(one, geometry, training) for one in (farl, shifted))
    for value, score in first.items():
        np.testing.assert_allclose(second[value][training], score[training], err_msg=str(value))


def test_unknown_scores_give_unknown_labels(scores: dict[Attribute, np.ndarray]) -> None:
    """A face without a score is neither present nor absent."""
    for score in scores.values():
        score[7] = np.nan
    assert (label(scores, EVERYBODY).table[7] == UNKNOWN).all()


def test_base_rates_follow_the_mix() -> None:
    """An attribute of one group alone is as common as that group is here."""
    male = np.arange(100) < 40
    young = np.arange(100) % 2 == 0
    celeba = {"Male": male, "Young": young, "Beard": male & young}
    mix = {"Male": np.array([0.9, 0.9, 0.9, 0.1]), "Young": np.array([0.9, 0.9, 0.1, 0.9])}
    assert base_rates(celeba, mix)["Beard"] == pytest.approx(0.5)
    assert base_rates(celeba, mix)["Male"] == pytest.approx(0.75)
