"""Tests of teaching the decoder what the attribute head sees."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from model_server.captioning.face_grammar import describe
from model_server.captioning.vocabulary import UNKNOWN, tokenize
from model_server.imaging import Preprocessing
from training.checkpoint import load_model
from training.config import TrainConfig
from training.faces.attributes import AttributeHead
from training.faces.captioner import FaceTrainer, FeatureViews, captioned
from training.faces.labels import VALUES, Labels
from training.faces.lfw import FaceSet
from training.faces.portraits import Portraits
from training.faces.scoring import consistent
from training.faces.study import Study
from training.runtime import Runtime

CONFIG = TrainConfig(
    encoder="tiny",
    encoder_weights="none",
    decoder="merge",
    decoder_options={"hidden": 16},
    min_count=1,
    max_length=60,
    photos_per_batch=4,
    epochs=2,
    learning_rate=1e-2,
)

PREPROCESSING = Preprocessing(48, 48)
"""Not the encoder's own."""

NAMES = tuple(f"{number:02}.png" for number in range(12))


class Bytes:
    """Photos that nobody looks at."""

    names = NAMES

    def read(self, name: str) -> bytes:
        return name.encode()

    def open(self, name: str) -> np.ndarray:
        raise AssertionError(f"{name} should not be needed: its features are cached")


@pytest.fixture
def study() -> Study:
    """Twelve faces with random, consistent labels."""
    rng = np.random.default_rng(0)
    logits = rng.normal(-1, 1, (12, len(VALUES))).astype(np.float32)
    table = np.zeros((12, len(VALUES)), np.int8)
    for row, said in enumerate(consistent(logits, np.zeros(len(VALUES), np.float32))):
        table[row, [VALUES.index(value) for value in said]] = 1
    photos = Bytes()
    points = np.zeros((5, 2), np.float32)
    return Study(
        FaceSet(NAMES, NAMES, np.ones(12, np.bool_), {}, photos),
        Portraits(photos, dict.fromkeys(NAMES, points)),
        Labels(table, {}),
        learn=NAMES[:8],
        tune=NAMES[8:],
        val=(),
    )


@pytest.fixture
def trainer(study: Study, tmp_path: Path, tiny_encoder: None) -> FaceTrainer:
    """A trainer on random features."""
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    views = [rng.normal(size=(8, 1, 8)).astype(np.float16) for _ in range(2)]
    return FaceTrainer(
        tmp_path,
        CONFIG,
        study,
        preprocessing=PREPROCESSING,
        head=AttributeHead(8),
        thresholds=np.full(len(VALUES), 0.3, np.float32),
        learn=FeatureViews(study.learn, views),
        held_out=FeatureViews(study.tune, [views[0][:4]]),
        runtime=Runtime(torch.device("cpu")),
    )


def test_whoever_loads_the_captioner_sees_portraits_as_the_encoder_did(
    trainer: FaceTrainer,
) -> None:
    """A checkpoint holds the preprocessing that the features were made with."""
    trainer.run()
    _, _, preprocessing, *_ = load_model(trainer.folder / "best.pt")
    assert preprocessing == PREPROCESSING


def test_captions_are_the_heads_decisions(trainer: FaceTrainer) -> None:
    """Each target is what the head says of those very features, mixed or not, in words."""
    batch = trainer._batch(trainer.data.names[:4], random.Random(0))
    with torch.no_grad():
        logits = trainer._head(batch.pixels).numpy()
    for row, said in zip(batch.targets, consistent(logits, trainer._thresholds), strict=True):
        caption = trainer.vocabulary.decode(row.tolist())
        assert caption == " ".join(tokenize(describe(said)))


def test_some_features_are_mixed(trainer: FaceTrainer) -> None:
    """Half of a batch lies between two portraits, the other half is as it was cached."""
    names = trainer.data.names[:4]
    pixels = trainer._batch(names, random.Random(0)).pixels
    views = trainer._features[0]._views
    kept = [
        any(np.allclose(pixels[row], view[index]) for view in views)
        for row, index in enumerate(range(4))
    ]
    assert kept[2:] == [True, True]
    assert not all(kept[:2])


def test_every_word_of_the_grammar_is_known(trainer: FaceTrainer) -> None:
    """No value is beyond the vocabulary, however rare it is in the data."""
    for value in VALUES:
        assert UNKNOWN not in trainer.vocabulary.encode(describe([value]))


def test_best_epoch_is_chosen_by_attributes(trainer: FaceTrainer, tmp_path: Path) -> None:
    """Training runs, scores by F1 of the attributes, and keeps the best epoch."""
    progress = trainer.run()
    scores = [entry["micro_f1"] for entry in progress.history]
    assert progress.best == pytest.approx(max(scores), abs=1e-4)
    assert (tmp_path / "best.pt").exists()


def test_labels_become_captions(study: Study) -> None:
    """A portrait's caption names what is surely present."""
    captions = captioned(study, study.learn).captions
    assert captions["00.png"] == (describe(study.labels.attributes(0)),)


def test_view_zero_is_what_is_evaluated() -> None:
    """Without a random generator the first view is read, the one that the server would see."""
    views = [np.full((2, 1, 3), value, np.float16) for value in (1, 2)]
    features = FeatureViews(["a", "b"], views)
    assert set(features.read(["b", "a"], None).flatten().tolist()) == {1.0}
    seen = {float(features.read(["a"], random.Random(seed)).max()) for seed in range(20)}
    assert seen == {1.0, 2.0}
