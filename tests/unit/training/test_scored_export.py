"""Tests of exporting with scores."""

from collections.abc import Callable
from pathlib import Path

import pytest

from model_server.bundle import load_bundle
from tests.unit.training.conftest import TINY
from training import scored_export
from training.dataset import CaptionedPhotos, LeakageError
from training.evaluate import Candidate, Evaluation
from training.export import BundleFacts
from training.scored_export import export_scored
from training.trainer import train

pytestmark = pytest.mark.usefixtures("tiny_encoder")
FACTS = BundleFacts(
    "mine", "1", "MIT", {"beam_size": 2, "max_length": 8, "length_penalty": 0.5}, {}, {"old": {}}
)
Splits = tuple[CaptionedPhotos, CaptionedPhotos]


@pytest.fixture
def splits(make_dataset: Callable[..., CaptionedPhotos]) -> Splits:
    return make_dataset(12), make_dataset(6, first=100)


def test_fp16_where_int8_costs_too_much(
    tmp_path: Path, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bundle is in fp16, says so, and its card has the scores of all three."""
    train(tmp_path / "run", TINY.changed(epochs=1), *splits)
    ciders = iter([0.60, 0.59, 0.60])
    searched = []

    def scored(candidate: Candidate, dataset: CaptionedPhotos, **_: object) -> Evaluation:
        searched.append(candidate.decoding.max_length)
        captions = dict.fromkeys(dataset.names, "a woman")
        score = {"cider": next(ciders), "bleu_1": 0.5}
        return Evaluation(
            candidate.name, 6, {"beam_size": 2}, score, 0.1, 2, 0.25, 0.0, 2.0, 1.0, captions, {}
        )

    monkeypatch.setattr(scored_export, "evaluate", scored)
    folder, weights = tmp_path / "bundle", tmp_path / "run" / "best.pt"
    assert export_scored(folder, weights, FACTS, *splits, calibrate=4) == "fp16"
    assert searched == [8, 8, 8]  # fp32 searches as the bundle does
    bundle = load_bundle(folder, kind="captioner")
    assert bundle.read("precision")["encoder"] == "fp16"
    found = {
        name: row.get("metrics", {}).get("cider") for name, row in bundle.read("metrics").items()
    }
    assert found == {"old": None, "fp32": 0.60, "int8": 0.59, "fp16": 0.60}
    card = bundle.file("MODEL_CARD.md").read_text()
    assert "| int8 | 0.500 | 0.590 |" in card
    assert "Served: fp16." in card
    assert "train: 12 photos, 24 captions" in card
    assert "Licence of the weights: MIT" in card
    assert "| unsaid | 6 | 100% |" in card  # "a woman" of walls
    assert str(tmp_path) not in (folder / "bundle.json").read_text()


def test_without_held_out_photos(tmp_path: Path, splits: Splits) -> None:
    """The card says that nothing was compared; photos it learnt from are not taken instead."""
    train(tmp_path / "run", TINY.changed(epochs=1), *splits)
    data, _ = splits
    folder, weights = tmp_path / "bundle", tmp_path / "run" / "best.pt"
    assert export_scored(folder, weights, FACTS, data, None, calibrate=0) == "fp16"
    assert "int8 was not compared" in (folder / "MODEL_CARD.md").read_text()
    with pytest.raises(LeakageError):
        export_scored(folder, weights, FACTS, data, data.subset(data.names[:2]))
