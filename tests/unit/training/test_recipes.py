"""Tests of the recipes."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from unittest.mock import create_autospec

import pytest
import typer
from typer.testing import CliRunner

from model_server.bundle import BUNDLES, MANIFEST, load_bundle
from training.bias import GENDERS
from training.embedder import commands, measuring
from training.encoders import ENCODERS
from training.recipes import embedder, faces, faces_card, photos
from training.recipes.photos import _scored
from training.recipes.photos_card import model_card
from training.recipes.photos_plans import DECODING, LADDER, LITE2, STAGES
from training.recipes.smoke import smoke
from training.recipes.tiny import run


@pytest.mark.timeout(400)
def test_the_tiny_recipe_runs_the_whole_chain(tmp_path: Path) -> None:
    """From drawings to an int8 bundle whose captions say what is on photos it has not seen."""
    result = run(tmp_path)
    assert load_bundle(tmp_path / "tiny", kind="captioner").read("precision")["encoder"] == "int8"
    assert result.metrics["cider"] > 0.5
    assert len(set(result.captions.values())) > 1
    assert json.loads((tmp_path / "scores.json").read_text())["photos"] == result.photos


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_trains_a_captioner(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From photos to captions with each encoder; smaller photos than it wants, to save time."""
    small = replace(ENCODERS[name].preprocessing, height=96, width=96)
    spec = replace(ENCODERS[name], preprocessing=small)
    monkeypatch.setitem(ENCODERS, name, spec)  # type: ignore[arg-type]
    result = smoke(tmp_path, name, photos=3)
    assert 0 < result.loss < 20
    assert len(result.captions) == 1
    assert result.captions[0]


def test_stages_fit_together() -> None:
    """Every stage and rung can go on with the same words: their vocabulary is counted alike."""
    chains = (list(STAGES.values()), list(LITE2.values()))
    configs = [*chains[0], *chains[1], *LADDER.values()]
    assert len({config.min_count for config in configs}) == 1
    for chain in chains:
        assert len({config.encoder for config in chain}) == 1
        assert {config.decoder for config in chain} == {"attention"}


def test_scores_are_taken_only_of_these_weights_and_this_search(tmp_path: Path) -> None:
    """Older ones, and those of another search, are made again."""
    weights, scores = tmp_path / "best.pt", tmp_path / "scores.json"
    weights.touch()
    os.utime(weights, (1000, 1000))
    assert not _scored(scores, weights)
    scores.write_text(json.dumps({"decoding": dict(DECODING)}))
    assert _scored(scores, weights)
    scores.write_text(json.dumps({"decoding": {**DECODING, "max_length": 16}}))
    assert not _scored(scores, weights)
    scores.write_text(json.dumps({"decoding": dict(DECODING)}))
    os.utime(scores, (999, 999))
    assert not _scored(scores, weights)


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
    assert "as served: int8, OpenVINO" in card


def test_the_card_of_faces_follows_from_its_manifest() -> None:
    """Word for word, wherever lines are broken: nothing is edited in by hand."""
    folder = BUNDLES / "faces"
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    shipped = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert faces_card.model_card(manifest).split() == shipped.split()
    other = {**manifest, "version": "next", "precision": {"encoder": "fp16", "decoder": "int8"}}
    card = faces_card.model_card(other)
    assert "as served: fp16 encoder, int8 decoder, OpenVINO**" in card
    assert "detector-5" not in card
    assert "not quite blind" in card


def test_the_card_says_when_int8_was_given_up() -> None:
    """fp16 is what is served, and the row of int8 shows why."""
    good, bad = (
        {
            "metrics": {"bleu_1": 0.69, "bleu_4": 0.22, "cider": cider},
            "decoding": {"beam_size": 3},
            "distinct": 0.5,
            "vocabulary_used": 321,
            "copied": 0.1,
            "bad_endings": 0.0,
        }
        for cider in (0.6, 0.5)
    )
    card = model_card(
        {"served": good, "int8": bad, "self-critical": good},
        {truth: dict.fromkeys(GENDERS, 1) for truth in GENDERS},
        {"fine-tuned": {"history": [{"cider": 0.2, "seconds": 90}]}},
        precision="fp16",
    )
    assert "1024 channels), fp16." in card
    assert "score unchanged but for fp16" in card
    (int8,) = (line for line in card.splitlines() if line.startswith("| this one in int8"))
    assert int8.endswith("| 0.500 |")
    assert "as served: fp16, OpenVINO** |" in card


@pytest.mark.parametrize("recipe", [embedder, faces, photos])
def test_a_recipe_asks_for_a_version(recipe: ModuleType, tmp_path: Path) -> None:
    """New weights never get the number of those that are served: databases would trust them."""
    app = typer.Typer()
    app.command()(recipe.main)
    arguments = ["--data", str(tmp_path), "--work", str(tmp_path)]
    arguments += ["--teacher", "x.onnx"] if recipe is embedder else []
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "version" in result.output


def test_the_embedder_s_recipe_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes long and is there is not made again; the rest runs in order, called rightly."""
    done: list[str] = []
    versions: list[str] = []
    files = {
        "crops": tmp_path / "faces.npz",
        "targets": tmp_path / "teacher.npz",
        "first": tmp_path / "first" / MANIFEST,
    }

    def step(name: str) -> Callable[..., None]:
        def run(*arguments: object, **_options: object) -> None:
            made = "first" if name == "export" and "first" in arguments else name
            done.append(made)
            if name == "export":
                versions.append(str(arguments[1]))
            if made in files:
                files[made].parent.mkdir(exist_ok=True)
                files[made].touch()

        return run

    for module, names in (
        (commands, ("crops", "targets", "train", "steady", "export")),
        (measuring, ("pairs",)),
    ):
        for name in names:
            real = getattr(module, name)
            monkeypatch.setattr(module, name, create_autospec(real, side_effect=step(name)))
    for _ in range(2):
        embedder.main(version="7", data=tmp_path, teacher=tmp_path / "teacher.onnx", work=tmp_path)
    once = ["crops", "targets", "train", "first", "steady", "export", "pairs"]
    assert done == [*once, "train", "steady", "export", "pairs"]
    assert versions == ["first", "7", "7"]
