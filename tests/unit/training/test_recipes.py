"""Tests of the recipes."""

import json
from pathlib import Path

from model_server.bundle import load_bundle
from training.recipes.photos import LADDER, STAGES
from training.recipes.photos_card import model_card
from training.recipes.tiny import run


def test_the_tiny_recipe_runs_the_whole_chain(tmp_path: Path) -> None:
    """From drawings to an int8 bundle whose captions say what is on photos it has not seen."""
    result = run(tmp_path)
    assert load_bundle(tmp_path / "tiny", kind="captioner").read("precision")["encoder"] == "int8"
    assert result.metrics["cider"] > 0.5
    assert len(set(result.captions.values())) > 1
    assert json.loads((tmp_path / "scores.json").read_text())["photos"] == result.photos


def test_stages_start_from_earlier_ones() -> None:
    """Every stage but the first names one before it, and nothing is trained on other words."""
    names = list(STAGES)
    for place, (name, config) in enumerate(STAGES.items()):
        assert config.start_from in names[:place] if place else config.start_from == "", name
    assert len({config.min_count for config in (*STAGES.values(), *LADDER.values())}) == 1


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
    card = model_card({"served": summary, "attention": summary})
    assert "BLEU-1: 0.690 (goal 0.68, floor 0.65: reached)" in card
    assert "BLEU-4: 0.220 (goal 0.25, floor 0.21: above the floor, goal not reached)" in card
    assert "CIDER: 0.432 (goal 0.62, floor 0.52: **below the floor**)" in card
    assert "321" in card
