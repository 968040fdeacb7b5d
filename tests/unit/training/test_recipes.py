"""Tests of the recipes."""

import json
from pathlib import Path

import pytest

from model_server.bundle import load_bundle
from training.bias import GENDERS
from training.recipes.photos import LADDER, STAGES
from training.recipes.photos_card import model_card
from training.recipes.tiny import run


@pytest.mark.timeout(400)
def test_the_tiny_recipe_runs_the_whole_chain(tmp_path: Path) -> None:
    """From drawings to an int8 bundle whose captions say what is on photos it has not seen."""
    result = run(tmp_path)
    assert load_bundle(tmp_path / "tiny", kind="captioner").read("precision")["encoder"] == "int8"
    assert result.metrics["cider"] > 0.5
    assert len(set(result.captions.values())) > 1
    assert json.loads((tmp_path / "scores.json").read_text())["photos"] == result.photos


def test_stages_fit_together() -> None:
    """Every stage and rung can go on with the same words: their vocabulary is counted alike."""
    configs = (*STAGES.values(), *LADDER.values())
    assert len({config.min_count for config in configs}) == 1
    assert {config.decoder for config in STAGES.values()} == {"attention"}


def test_the_card_says_what_was_not_reached() -> None:
    """Goal, floor and failure are told apart, and every figure comes from the scores."""
    summary = {
        "metrics": {"bleu_1": 0.69, "bleu_4": 0.22, "cider": 0.4321},
        "decoding": {"beam_size": 3},
        "distinct": 0.5,
        "vocabulary_used": 321,
        "copied": None,
        "bad_endings": 0.0,
    }
    card = model_card(
        {"served": summary, "attention": summary},
        {truth: dict.fromkeys(GENDERS, 1) for truth in GENDERS},
        {"attention": {"history": [{"cider": 0.2, "seconds": 90}, {"cider": 0.4, "seconds": 90}]}},
    )
    assert "BLEU-1: 0.690 (goal 0.68, floor 0.65: reached)" in card
    assert "BLEU-4: 0.220 (goal 0.25, floor 0.21: above the floor, goal not reached)" in card
    assert "CIDER: 0.432 (goal 0.62, floor 0.52: **below the floor**)" in card
    assert "321" in card
    assert "| female | 4 | 25% |" in card
    assert "attention: 2 epochs up to the one that was kept, 3 minutes" in card
    assert "It was not changed here" in card
