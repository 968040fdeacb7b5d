"""The recipe of the face captioner from photos to a bundle, with small networks on drawn faces."""

from __future__ import annotations

import csv
import gzip
import io
import tarfile
from dataclasses import replace
from pathlib import Path
from unittest.mock import create_autospec

import numpy as np
import pytest
import torch

from model_server.analysis import BoundingBox, Detection
from model_server.bundle import load_bundle
from model_server.captioning.networks import ResNet
from model_server.imaging import Preprocessing, encode_jpeg
from tests.unit.training.faces.test_geometry import head
from tests.unit.training.faces.test_labels import FARL
from training.encoders import ENCODERS, EncoderSpec
from training.faces import pipeline, study
from training.faces.labels import PRESENT, UNKNOWN
from training.faces.pipeline import tune
from training.faces.study import prepare_study
from training.faces.tuning import TuneOptions
from training.recipes import faces as recipe

PEOPLE, PHOTOS_EACH = 40, 2
LANDMARKS = np.array([[104, 113], [146, 113], [125, 136], [108, 158], [142, 158]], np.float32)
PHASES = {
    "one": TuneOptions(stages=1, views=1, epochs=1, batch=16),
    "two": TuneOptions(stages=1, views=2, epochs=1, batch=16),
}


class FakeDetector:
    """Finds the face where funnelling puts it."""

    KIND = "face_detector"

    def __init__(self, *_: object) -> None: ...

    def detect(self, image: np.ndarray, reduced: np.ndarray) -> list[Detection]:
        return [Detection(BoundingBox(80, 70, 90, 110), LANDMARKS, 1)]


class FakeMesh:
    """Measures another head in each photo."""

    def __init__(self, *_: object) -> None: ...

    def measure(
        self, image: np.ndarray, box_xyxy: np.ndarray, eyes: np.ndarray
    ) -> tuple[np.ndarray, float]:
        return head(np.random.default_rng(int(image.sum()))).astype(np.float32), 1.0


def build(weights: str) -> ResNet:
    """A small network, the same one every time."""
    torch.manual_seed(0)
    return ResNet(8, layers=(1, 1))


@pytest.fixture
def lfw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like LFW's, a quarter of its people for validation; networks are small."""
    monkeypatch.setattr(study, "FaceDetector", FakeDetector)
    monkeypatch.setattr(study, "FaceMesh", FakeMesh)
    spec = EncoderSpec(build, 64, Preprocessing(32, 32), ("package", "none"))
    monkeypatch.setitem(ENCODERS, "resnet50-half", spec)  # type: ignore[arg-type]
    monkeypatch.setattr(pipeline, "PORTRAIT_SIDE", 32)
    folder, rng = tmp_path / "lfw", np.random.default_rng(0)
    folder.mkdir()
    people = [number for number in range(PEOPLE) for _ in range(PHOTOS_EACH)]
    names = [f"{number}_{photo}.jpg" for photo, number in enumerate(people)]
    with tarfile.open(folder / "images.tar", "w") as tar:
        for name in names:
            data = encode_jpeg(rng.integers(0, 256, (250, 250, 3), np.uint8))
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    with (folder / "images.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image_name", "person", "split", "path_in_tar"])
        for name, number in zip(names, people, strict=True):
            writer.writerow([name, number, "train" if number % 4 else "val", name])
    with gzip.open(folder / "attributes.csv.gz", "wt", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image_name", *FARL, "age_estimate"])
        for name in names[:-1]:
            writer.writerow([name, *rng.uniform(0.01, 0.99, len(FARL)), rng.uniform(20, 60)])
    return folder


def test_people_are_kept_apart_and_labelled(lfw: Path, tmp_path: Path) -> None:
    """Every photo with a face and scores has labels, and nobody is in two splits."""
    found = prepare_study(lfw, tmp_path / "work")
    splits = (found.learn, found.tune, found.val)
    assert [len(split) for split in splits] == [53, 6, 20]
    people = [{name.split("_")[0] for name in split} for split in splits]
    assert not people[0] & people[1]
    assert not (people[0] | people[1]) & people[2]
    table = np.stack(list(found.rows(found.learn).values()))
    assert 0.05 < np.mean(table == PRESENT) < 0.3
    assert 0.05 < np.mean(table == UNKNOWN) < 0.5


@pytest.mark.timeout(400)
def test_from_photos_to_a_bundle(
    lfw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipe leaves a scored bundle with a card; a second start trains nothing anew."""
    captioner = replace(
        recipe.CAPTIONER, decoder_options={"hidden": 16}, photos_per_batch=16, epochs=2
    )
    monkeypatch.setattr(recipe, "PHASES", PHASES)
    monkeypatch.setattr(recipe, "CAPTIONER", captioner)
    work, out = tmp_path / "work", tmp_path / "bundle"
    recipe.main(version="7", data=lfw, work=work, out=out)
    kept = ("one/last.pt", "one-two.pt", "one-two-captioner/last.pt")
    made = [(work / name).stat().st_mtime_ns for name in kept]

    bundle = load_bundle(out, kind="captioner")
    assert bundle.version == "faces-7"
    metrics = bundle.read("metrics")
    assert metrics["served"]["faces"] == metrics["fp32"]["faces"] == 20
    assert set(metrics["served"]["groups"]) >= {"read as male", "read as young"}
    trained = bundle.read("training")
    assert trained["encoder"]["two"]["views"] == 2
    assert trained["decoder"]["epochs"] == 2
    assert "two: the last 1 of 4 stages, 1 epochs, 2 views" in (out / "MODEL_CARD.md").read_text()

    monkeypatch.setattr(recipe, "_export", create_autospec(recipe._export))
    recipe.main(version="8", data=lfw, work=work, out=out)
    assert [(work / name).stat().st_mtime_ns for name in kept] == made

    found = prepare_study(lfw, work)
    other = {**PHASES, "two": replace(PHASES["two"], learning_rate=1.0)}
    with pytest.raises(ValueError, match="holds another run: two differ"):
        tune(found, work, other)
