"""Tests of the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from training.commands import app
from training.dataset import CaptionedPhotos

pytestmark = pytest.mark.usefixtures("tiny_encoder")


def call(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def fails(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 1, result.output
    return " ".join(result.output.split())


def test_from_a_folder_to_scores(
    tmp_path: Path, make_dataset: Callable[..., CaptionedPhotos]
) -> None:
    """prepare, train, export, evaluate: each takes what the last one left."""
    make_dataset(16)
    photos = tmp_path / "photos-0"
    call(
        "prepare", "--images", photos, "--captions", photos / "captions.csv",
        "--out", tmp_path / "splits", "--dev", 0.25,
    )  # fmt: skip
    report = json.loads((tmp_path / "splits" / "report.json").read_text())
    assert report["photos"] == 16
    data = tmp_path / "splits" / "train.csv"
    dev = tmp_path / "splits" / "dev.csv"
    (tmp_path / "tiny.json").write_text(
        json.dumps({"encoder": "tiny", "decoder_options": {"hidden": 16}, "min_count": 1})
    )
    call(
        "train", "--images", photos, "--captions", data, "--dev-captions", dev,
        "--out", tmp_path / "run", "--config", tmp_path / "tiny.json",
        "--set", "epochs=1", "--set", "photos_per_batch=4", "--set", "encoder_weights=none",
    )  # fmt: skip
    call(
        "export", "--checkpoint", tmp_path / "run" / "best.pt", "--out", tmp_path / "bundle",
        "--images", photos, "--captions", data, "--calibrate", 0, "--max-length", 8,
        "--dev-captions", dev,
    )  # fmt: skip
    printed = call(
        "evaluate", "--images", photos, "--captions", dev, "--bundle", tmp_path / "bundle",
        "--json", "--no-meteor", "--out", tmp_path / "scores", "--train-captions", data,
    )  # fmt: skip
    scores = json.loads(printed)
    assert scores["photos"] == 4
    assert {"bleu_1", "bleu_4", "rouge_l", "cider"} <= set(scores["metrics"])
    assert (tmp_path / "scores" / "index.html").exists()
    table = call(
        "evaluate", "--images", photos, "--captions", dev, "--no-meteor",
        "--bundle", tmp_path / "run" / "best.pt", "--beam", 1,
    )  # fmt: skip
    assert "cider" in table
    assert "not the photos" in fails(
        "export", "--checkpoint", tmp_path / "run" / "best.pt", "--out", tmp_path / "other",
        "--images", photos, "--captions", dev,
    )  # fmt: skip


def test_errors_say_what_is_wrong(
    tmp_path: Path, make_dataset: Callable[..., CaptionedPhotos]
) -> None:
    """No traceback: one line, and exit status 1."""
    make_dataset(4)
    photos = tmp_path / "photos-0"
    captions = photos / "captions.csv"
    assert "nowhere" in fails(
        "evaluate", "--images", "nowhere", "--captions", captions, "--bundle", "photos"
    )
    assert "no bundle called nothing" in fails(
        "evaluate", "--images", photos, "--captions", captions, "--bundle", "nothing"
    )
    assert "lerning_rate" in fails(
        "train", "--images", photos, "--captions", captions, "--dev-captions", captions,
        "--out", tmp_path / "run", "--set", "lerning_rate=1",
    )  # fmt: skip
    assert "name=value" in fails(
        "train", "--images", photos, "--captions", captions, "--dev-captions", captions,
        "--out", tmp_path / "run", "--set", "epochs",
    )  # fmt: skip
    assert "held out" in fails(
        "train", "--images", photos, "--captions", captions, "--dev-captions", captions,
        "--out", tmp_path / "run", "--set", "encoder=tiny", "--set", "encoder_weights=none",
    )  # fmt: skip
