"""Tests of tuning the encoder on attributes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model_server.captioning.networks import CNNEncoder, ResNet
from model_server.imaging import Preprocessing, encode_jpeg
from training.faces.attributes import (
    AttributeHead,
    head_logits,
)
from training.faces.labels import VALUES
from training.faces.portraits import Portraits
from training.faces.trunk import Trunk, cache_trunk
from training.faces.tuning import TuneOptions, _Run, tune_encoder

PREPROCESSING = Preprocessing(32, 32)
OPTIONS = TuneOptions(stages=1, views=2, epochs=2, batch=4)


class Squares:
    """Plain pictures, bright or dark by their number."""

    names = tuple(f"{number:02}" for number in range(16))

    def __init__(self, dark: int = 40) -> None:
        self.dark = dark

    def read(self, name: str) -> bytes:
        return encode_jpeg(self.open(name))

    def open(self, name: str) -> np.ndarray:
        return np.full((64, 64, 3), 200 if int(name) % 2 else self.dark, np.uint8)


LANDMARKS = np.array([[22, 26], [42, 26], [32, 36], [24, 46], [40, 46]], np.float32)


def tuned(
    folder: Path, options: TuneOptions, *, landmarks: np.ndarray = LANDMARKS, bright: int = 1
) -> tuple[CNNEncoder, AttributeHead]:
    """A small network after tuning on whether a picture is bright."""
    torch.manual_seed(0)
    encoder = CNNEncoder(ResNet(8, layers=(1, 1)), 64)
    head = AttributeHead(64)
    squares = Squares()
    rows = {name: np.full(len(VALUES), int(name) % 2 == bright, np.int8) for name in squares.names}
    tune_encoder(
        encoder,
        PREPROCESSING,
        Portraits(squares, dict.fromkeys(squares.names, landmarks), 32),
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


def test_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is started again does the epochs that are missing, and no others."""
    finish = _Run.finish

    def kill(run: _Run, *arguments: Any) -> None:
        finish(run, *arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(_Run, "finish", kill)
        with pytest.raises(KeyboardInterrupt):
            tuned(tmp_path, OPTIONS)
    tuned(tmp_path, OPTIONS)
    history = json.loads((tmp_path / "history.json").read_text())
    assert len(history) == 2
    before = (tmp_path / "last.pt").stat().st_mtime_ns
    tuned(tmp_path, OPTIONS)
    assert (tmp_path / "last.pt").stat().st_mtime_ns == before


def test_another_run_does_not_go_on(tmp_path: Path) -> None:
    """Other options, faces or labels are refused; how many threads compute does not matter."""
    tuned(tmp_path, OPTIONS)
    tuned(tmp_path, replace(OPTIONS, threads=2))
    with pytest.raises(ValueError, match="epochs, learning_rate differ"):
        tuned(tmp_path, replace(OPTIONS, epochs=3, learning_rate=1.0))
    with pytest.raises(ValueError, match="portraits differ"):
        tuned(tmp_path, OPTIONS, landmarks=LANDMARKS + 1)
    with pytest.raises(ValueError, match="labels differ"):
        tuned(tmp_path, OPTIONS, bright=0)


def test_other_faces_have_another_cache(tmp_path: Path) -> None:
    """What was computed of faces that lie elsewhere, or in other photos, is not read."""
    trunk = Trunk(ResNet(8, layers=(1, 1)), 1).eval()

    def cached(landmarks: np.ndarray, photos: Squares) -> int:
        portraits = Portraits(photos, dict.fromkeys(photos.names, landmarks), 32)
        cache_trunk(trunk, PREPROCESSING, portraits, photos.names, tmp_path, view=0)
        return len(list(tmp_path.glob("*.npy")))

    assert cached(LANDMARKS, Squares()) == cached(LANDMARKS, Squares()) == 1
    assert cached(LANDMARKS + 1, Squares()) == 2
    assert cached(LANDMARKS, Squares(dark=60)) == 3


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
