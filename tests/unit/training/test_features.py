"""Tests of the feature cache."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from model_server.imaging import Preprocessing, preprocess
from training import features
from training.dataset import CaptionedPhotos
from training.encoders import build_encoder
from training.features import FeatureCache, cache_features, network_digest
from training.photos import FolderPhotos

pytestmark = pytest.mark.usefixtures("tiny_encoder")
Make = Callable[..., CaptionedPhotos]


def test_cached_features_are_the_network_s(tmp_path: Path, make_dataset: Make) -> None:
    """Both views equal what the network gives for the photo and for the mirrored photo."""
    dataset = make_dataset(5)
    encoder, spec = build_encoder("tiny")
    cache = cache_features(dataset.photos, dataset.names, encoder, spec, tmp_path, batch=2)
    image = torch.from_numpy(preprocess(dataset.photos.open("3.png"), spec)[None])
    with torch.inference_mode():
        plain, mirrored = encoder(image)[0], encoder(image.flip(-1))[0]
    found = cache.read(["3.png", "3.png"], [0, 1])
    np.testing.assert_allclose(found[0], plain, atol=2e-3)
    np.testing.assert_allclose(found[1], mirrored, atol=2e-3)


def test_an_interrupted_cache_goes_on(
    tmp_path: Path, make_dataset: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a kill only what is missing is computed, and an unfinished cache is not read."""
    dataset = make_dataset(40)
    encoder, spec = build_encoder("tiny")
    opened: list[str] = []
    real = dataset.photos.open

    def fail_late(name: str) -> np.ndarray:  # type: ignore[type-arg]
        opened.append(name)
        if len(opened) == 35:
            raise KeyboardInterrupt
        return real(name)

    monkeypatch.setattr(dataset.photos, "open", fail_late)
    with pytest.raises(KeyboardInterrupt):
        cache_features(dataset.photos, dataset.names, encoder, spec, tmp_path, batch=2)
    (folder,) = tmp_path.glob("*-*-2-float32")
    with pytest.raises(FileNotFoundError):
        FeatureCache(folder)
    opened.clear()
    monkeypatch.setattr(dataset.photos, "open", lambda name: opened.append(name) or real(name))
    cache = cache_features(dataset.photos, dataset.names, encoder, spec, tmp_path, batch=2)
    assert opened == list(dataset.names[32:])
    assert np.abs(cache.read(dataset.names).astype(np.float32)).sum(axis=(1, 2)).min() > 0


def test_other_photos_of_the_same_names_have_another_cache(
    tmp_path: Path, make_dataset: Make
) -> None:
    """A changed picture is computed again; the same pictures are not."""
    photos = make_dataset(4).photos
    encoder, spec = build_encoder("tiny")

    def cached(names: Sequence[str]) -> Path:
        own = FolderPhotos(tmp_path / "photos-0")  # as if in the next run
        return cache_features(own, names, encoder, spec, tmp_path / "cache").folder

    first = cached(photos.names)
    assert cached(photos.names) == first
    shutil.copy(tmp_path / "photos-0" / "1.png", tmp_path / "photos-0" / "0.png")
    assert cached(photos.names) != first


def test_features_that_fp16_cannot_hold(tmp_path: Path, make_dataset: Make) -> None:
    """Large ones stay finite; what is no number is an error, and no cache is left."""
    photos = make_dataset(2).photos
    encoder, spec = build_encoder("tiny")
    convolution = next(m for m in encoder.modules() if isinstance(m, nn.Conv2d))
    with torch.no_grad():
        convolution.weight *= 1e7
    cache = cache_features(photos, photos.names, encoder, spec, tmp_path / "cache")
    assert np.isfinite(cache.features).all()
    assert cache.features.max() == np.finfo(np.float16).max
    with torch.no_grad():
        convolution.weight[0] = torch.nan
    with pytest.raises(ArithmeticError, match="no numbers"):
        cache_features(photos, photos.names, encoder, spec, tmp_path / "broken")
    assert not list((tmp_path / "broken").glob("*/index.json"))


def test_other_precision_has_another_cache(tmp_path: Path, make_dataset: Make) -> None:
    """What was computed in float32 is not taken for a run in bfloat16."""
    photos = make_dataset(2).photos
    encoder, spec = build_encoder("tiny")
    coarse, fine = (
        cache_features(photos, photos.names, encoder, spec, tmp_path, dtype=dtype)
        for dtype in (torch.bfloat16, None)
    )
    assert coarse.folder != fine.folder
    assert (coarse.read(photos.names) != fine.read(photos.names)).any()


def test_other_code_of_decoding_has_another_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was computed of other pixels is not read."""
    encoder, spec = build_encoder("tiny")
    key = network_digest(encoder, spec)
    monkeypatch.setattr(features, "_IMAGING", "of another day")
    assert key != network_digest(encoder, spec)


def test_another_network_or_preprocessing_has_another_cache(make_dataset: Make) -> None:
    """One changed weight or mean changes the key."""
    encoder, spec = build_encoder("tiny")
    key = network_digest(encoder, spec)
    assert key == network_digest(encoder, spec)
    assert key != network_digest(encoder, Preprocessing(16, 16))
    convolution = next(m for m in encoder.modules() if isinstance(m, nn.Conv2d))
    with torch.no_grad():
        convolution.weight[0, 0, 0, 0] += 1e-3
    assert key != network_digest(encoder, spec)
