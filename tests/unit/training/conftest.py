"""A small data set and a small encoder for the tests of training."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from torch import nn

from model_server.imaging import Preprocessing
from training import encoders
from training.config import TrainConfig
from training.dataset import CaptionedPhotos, load_dataset
from training.photos import FolderPhotos

TINY = TrainConfig(
    encoder="tiny",
    encoder_weights="none",
    decoder_options={"hidden": 16},
    min_count=1,
    photos_per_batch=4,
    epochs=2,
    learning_rate=1e-2,
    ema=0.5,
    samples=2,
)


@pytest.fixture
def tiny_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers the encoder "tiny": 16 by 16 pixels in, four regions of eight channels out."""
    spec = encoders.EncoderSpec(
        lambda _: nn.Sequential(nn.Conv2d(3, 8, 8, 8), nn.ReLU()),
        8,
        Preprocessing(16, 16, "RGB", (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)),
        ("none",),
    )
    monkeypatch.setitem(encoders.ENCODERS, "tiny", spec)  # type: ignore[arg-type]
    torch.manual_seed(0)


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., CaptionedPhotos]:
    """Makes plain-coloured photos, each called after its number, two captions each."""

    def make(count: int, first: int = 0) -> CaptionedPhotos:
        folder = tmp_path / f"photos-{first}"
        folder.mkdir()
        rng = np.random.default_rng(first)
        lines = ["image_name,caption"]
        for number in range(first, first + count):
            colour = ("red", "green", "blue")[number % 3]
            pixels = rng.integers(0, 60, (20, 24, 3), np.uint8)
            pixels[:, :, number % 3] += 180
            PillowImage.fromarray(pixels).save(folder / f"{number}.png")
            lines += [f"{number}.png,a {colour} wall", f"{number}.png,the wall is {colour} today"]
        (folder / "captions.csv").write_text("\n".join(lines))
        return load_dataset(FolderPhotos(folder), folder / "captions.csv")

    return make
