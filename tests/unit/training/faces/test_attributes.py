"""Tests of tuning the encoder on attributes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model_server.captioning.networks import CNNEncoder, ResNet
from model_server.imaging import Preprocessing
from training.faces.attributes import (
    AttributeHead,
    TuneOptions,
    average_precision,
    best_thresholds,
    head_logits,
    masked_loss,
    tune_encoder,
)
from training.faces.labels import VALUES
from training.faces.portraits import Portraits
from training.faces.scoring import score

PREPROCESSING = Preprocessing(32, 32)
OPTIONS = TuneOptions(stages=1, views=2, epochs=2, batch=4)


class Squares:
    """Plain pictures, bright or dark by their number."""

    names = tuple(f"{number:02}" for number in range(16))

    def read(self, name: str) -> bytes:
        return name.encode()

    def open(self, name: str) -> np.ndarray:
        return np.full((64, 64, 3), 200 if int(name) % 2 else 40, np.uint8)


LANDMARKS = np.array([[22, 26], [42, 26], [32, 36], [24, 46], [40, 46]], np.float32)


def tuned(folder: Path, options: TuneOptions) -> tuple[CNNEncoder, AttributeHead]:
    """A small network after tuning on whether a picture is bright."""
    torch.manual_seed(0)
    encoder = CNNEncoder(ResNet(8, layers=(1, 1)), 64)
    head = AttributeHead(64)
    squares = Squares()
    rows = {name: np.full(len(VALUES), int(name) % 2, np.int8) for name in squares.names}
    tune_encoder(
        encoder,
        PREPROCESSING,
        Portraits(squares, dict.fromkeys(squares.names, LANDMARKS), 32),
        head=head,
        learn={name: rows[name] for name in squares.names[:12]},
        held_out={name: rows[name] for name in squares.names[12:]},
        folder=folder,
        cache=folder / "trunk",
        options=options,
    )
    return encoder, head


def test_only_the_last_stages_change(tmp_path: Path) -> None:
    """Frozen stages and every BatchNorm's statistics stay, the tuned stage moves."""
    torch.manual_seed(0)
    before = {name: value.clone() for name, value in ResNet(8, layers=(1, 1)).state_dict().items()}
    encoder, _ = tuned(tmp_path, OPTIONS)
    after = encoder.backbone.state_dict()
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert moved
    assert all(name.startswith("layer2") for name in moved)
    assert not any("running" in name for name in moved)


def test_interrupted_run_goes_on(tmp_path: Path) -> None:
    """A run that is started again does the epochs that are missing, and no others."""
    tuned(tmp_path, replace(OPTIONS, epochs=1))
    tuned(tmp_path, OPTIONS)
    history = json.loads((tmp_path / "history.json").read_text())
    assert len(history) == 2
    before = (tmp_path / "last.pt").stat().st_mtime_ns
    tuned(tmp_path, OPTIONS)
    assert (tmp_path / "last.pt").stat().st_mtime_ns == before


def test_it_learns(tmp_path: Path) -> None:
    """The loss falls, and bright pictures get higher logits than dark ones."""
    encoder, head = tuned(tmp_path, replace(OPTIONS, epochs=12, views=1, head_learning_rate=1e-2))
    losses = [entry["loss"] for entry in json.loads((tmp_path / "history.json").read_text())]
    assert losses[-1] < 0.9 * losses[0]
    squares = Squares()
    portraits = Portraits(squares, dict.fromkeys(squares.names, LANDMARKS), 32)
    logits = head_logits(encoder, head, PREPROCESSING, portraits, squares.names)
    assert logits.shape == (16, len(VALUES))
    assert logits[1::2].mean() > logits[::2].mean()


def test_unknown_labels_teach_nothing() -> None:
    """Neither loss nor gradient depends on a value whose label is unknown."""
    logits = torch.zeros(1, 3, requires_grad=True)
    masked_loss(logits, torch.tensor([[1.0, -1.0, 0.0]])).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[0, 1] == 0
    assert logits.grad[0, 0] < 0 < logits.grad[0, 2]


def test_threshold_gives_the_best_f1() -> None:
    """Saying all from the threshold up is as good as any other cut."""
    rng = np.random.default_rng(0)
    table = rng.integers(-1, 2, (200, len(VALUES))).astype(np.int8)
    logits = (rng.normal(size=table.shape) + 1.5 * (table == 1)).astype(np.float32)

    def f1(threshold: float) -> float:
        return score(logits >= threshold, table).micro_f1

    (chosen,) = set(best_thresholds(logits, table).tolist())
    assert f1(chosen) >= max(f1(other) for other in np.linspace(-3, 4, 200))


def test_average_precision_of_a_perfect_order_is_one() -> None:
    """Known faces in the right order give 1, in the wrong one less; unknown ones do not count."""
    table = np.full((4, 1), -1, np.int8)
    table[:, 0] = [1, 1, 0, -1]
    assert average_precision(np.array([[3], [2], [1], [9]], np.float32), table) == 1
    assert average_precision(np.array([[1], [2], [3], [0]], np.float32), table) == pytest.approx(
        (1 / 2 + 2 / 3) / 2
    )
