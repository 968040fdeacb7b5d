"""Tests of scores by attributes parsed back."""

from __future__ import annotations

import numpy as np
import pytest

from model_server.analysis import Attribute
from model_server.captioning.face_grammar import contradictions, describe
from training.faces.labels import VALUES
from training.faces.scoring import consistent, constant_caption, mentions, score, score_texts

COLUMN = {f"{value.name}.{value.value}": column for column, value in enumerate(VALUES)}


def table(*rows: dict[str, int]) -> np.ndarray:
    """A label table: all unknown but what is given."""
    filled = np.full((len(rows), len(VALUES)), -1, np.int8)
    for row, known in zip(filled, rows, strict=True):
        for name, value in known.items():
            row[COLUMN[name]] = value
    return filled


def test_f1_counts_only_what_is_known() -> None:
    """One hit, one miss, one false claim; what is unknown is neither right nor wrong."""
    labels = table(
        {"glasses.eyeglasses": 1, "hat.hat": 0, "lips.full": 1},
        {"glasses.eyeglasses": 0},
    )
    found = score(mentions(["glasses, hat, bangs", "oval face"]), labels)
    assert (found.precision, found.recall) == (0.5, 0.5)
    assert found.micro_f1 == pytest.approx(0.5)
    assert found.f1 == {"glasses.eyeglasses": 1.0, "lips.full": 0.0}
    assert found.macro_f1 == pytest.approx(0.5)


def test_texts_answer_for_their_words() -> None:
    """Contradictions, repetition and silence are found in the texts."""
    found = score_texts(
        ["bald head, brown hair", "oval face", "oval face", ""], table({}, {}, {}, {})
    )
    assert found["contradictions"] == 0.25
    assert found["distinct"] == 3
    assert found["empty"] == 0.25


def test_consistent_keeps_the_surer_value() -> None:
    """Of bald and brown-haired the one further above its threshold stays."""
    logits = np.full((2, len(VALUES)), -5, np.float32)
    thresholds = np.zeros(len(VALUES), np.float32)
    bald, brown = COLUMN["hair_style.bald"], COLUMN["hair_color.brown"]
    logits[:, bald], logits[:, brown] = [1, 3], [2, 2]
    assert consistent(logits, thresholds) == [
        (Attribute("hair_color", "brown"),),
        (Attribute("hair_style", "bald"),),
    ]


def test_consistent_never_contradicts() -> None:
    """Whatever the logits are, the result can be put into words."""
    logits = np.random.default_rng(0).normal(1, 2, (200, len(VALUES))).astype(np.float32)
    for said in consistent(logits, np.zeros(len(VALUES), np.float32)):
        assert contradictions(describe(said)) == ()


def test_constant_caption_names_the_commonest() -> None:
    """It says what most faces show, as long as that raises its F1."""
    labels = table(
        {"expression.calm": 1, "hat.hat": 0, "glasses.eyeglasses": 1},
        {"expression.calm": 1, "hat.hat": 1, "glasses.eyeglasses": 0},
        {"expression.calm": 1, "hat.hat": 0, "glasses.eyeglasses": 1},
        {"expression.calm": 0, "hat.hat": 0, "glasses.eyeglasses": 0},
    )
    assert constant_caption(labels) == "glasses, calm expression"
