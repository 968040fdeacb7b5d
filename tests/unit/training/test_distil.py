"""Tests of distillation."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from model_server.captioning.networks import ResNet
from model_server.imaging import Preprocessing
from training import encoders
from training.dataset import CaptionedPhotos
from training.distil import DistilConfig, distil
from training.encoders import build_encoder
from training.open_nsfw import OPEN_NSFW_PREPROCESSING

pytestmark = pytest.mark.usefixtures("tiny_encoder")
CONFIG = DistilConfig(
    teacher="teacher",
    student="tiny",
    student_weights="none",
    epochs=4,
    batch=4,
    learning_rate=1e-2,
)


@pytest.fixture(autouse=True)
def teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(_: str) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(7)
            return nn.Conv2d(3, 5, 12, 12)

    spec = encoders.EncoderSpec(build, 5, Preprocessing(24, 24), ("none",))
    monkeypatch.setitem(encoders.ENCODERS, "teacher", spec)  # type: ignore[arg-type]


def test_the_student_comes_nearer(
    tmp_path: Path, make_dataset: Callable[..., CaptionedPhotos]
) -> None:
    """The distance falls, an interrupted run goes on, and the student can be loaded by name."""
    photos = make_dataset(16).photos
    first = distil(tmp_path, CONFIG, photos)
    assert first[-1] < first[0]
    longer = DistilConfig(**{**vars_of(CONFIG), "epochs": 5})
    assert distil(tmp_path, longer, photos)[:4] == first
    build_encoder("tiny", str(tmp_path / "student.pt"))
    with pytest.raises(ValueError, match="has the weights of tiny, not of teacher"):
        build_encoder("teacher", str(tmp_path / "student.pt"))
    with pytest.raises(ValueError, match="another distillation"):
        distil(tmp_path, DistilConfig(**{**vars_of(CONFIG), "batch": 2}), photos)


def vars_of(config: DistilConfig) -> dict[str, object]:
    return {name: getattr(config, name) for name in config.__slots__}


def test_a_widened_student_trains_a_captioner_by_its_new_name(
    tmp_path: Path, make_dataset: Callable[..., CaptionedPhotos], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps the preprocessing of the narrow one, and cannot be taken for torchvision's."""
    specs = dict(encoders.ENCODERS)
    for name, width in (("resnet50-half", 4), ("resnet50-widened", 8), ("resnet50", 8)):
        spec = replace(
            specs[name],
            build=lambda _, width=width: ResNet(width, caffe=True, layers=(1, 1)),
            channels=8 * width,
            weights=("none",),
            preprocessing=replace(specs[name].preprocessing, height=32, width=32),
        )
        monkeypatch.setitem(encoders.ENCODERS, name, spec)  # type: ignore[arg-type]
    config = DistilConfig(teacher="teacher", student="resnet50-half", widen=True, epochs=1, batch=4)
    distil(tmp_path, config, make_dataset(4).photos)
    encoder, preprocessing = build_encoder(config.result, str(tmp_path / "student.pt"))
    assert encoder.channels == 64
    assert preprocessing.mean == OPEN_NSFW_PREPROCESSING.mean
    with pytest.raises(ValueError, match="resnet50-widened, not of resnet50$"):
        build_encoder("resnet50", str(tmp_path / "student.pt"))


def test_not_every_encoder_is_widened(
    tmp_path: Path, make_dataset: Callable[..., CaptionedPhotos]
) -> None:
    """The error names the student."""
    with pytest.raises(ValueError, match="tiny cannot be widened"):
        distil(tmp_path, DistilConfig(**{**vars_of(CONFIG), "widen": True}), make_dataset(4).photos)
