"""Batches: photos (or their cached features) with all their captions as token numbers."""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from PIL import Image as PillowImage
from torch import Tensor

from model_server.analysis import Image
from model_server.captioning.vocabulary import END, PAD, START, Vocabulary
from model_server.imaging import Preprocessing, preprocess
from training.dataset import CaptionedPhotos
from training.features import FeatureCache
from training.photos import Photos

__all__ = [
    "Batch",
    "CachedFeatures",
    "LivePhotos",
    "PhotoSource",
    "encode_captions",
    "epoch_batches",
]


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step learns from.

    Attributes:
        names: Of the photos, N.
        pixels: Images (N, 3, H, W), or cached regions (N, K, channels).
        tokens: Inputs, (N x captions, T): the start, then words; padded. A photo's captions lie
            side by side.
        targets: The same shape: words, then the end; padded.
    """

    names: tuple[str, ...]
    pixels: Tensor
    tokens: Tensor
    targets: Tensor


class PhotoSource(Protocol):
    """Where a batch's pixels come from."""

    def read(self, names: Sequence[str], rng: random.Random | None) -> Tensor:
        """Pixels for photos; with ``rng`` a random view of each, for training."""
        ...


class CachedFeatures:
    """Regions from the cache; the random view is the mirrored photo."""

    def __init__(self, cache: FeatureCache) -> None:
        self._cache = cache

    def read(self, names: Sequence[str], rng: random.Random | None) -> Tensor:
        """Float32, shape (N, K, channels)."""
        views = [rng.randrange(self._cache.views) if rng else 0 for _ in names]
        return torch.from_numpy(self._cache.read(names, views).astype(np.float32))


class LivePhotos:
    """Decoded photos; the random view is a crop, mirrored or not.

    Args:
        photos: The pictures.
        preprocessing: Of the encoder.
        crop: Smallest share of each side that is kept.
    """

    def __init__(self, photos: Photos, preprocessing: Preprocessing, crop: float = 0.8) -> None:
        self._photos = photos
        self._preprocessing = preprocessing
        self._crop = crop

    def read(self, names: Sequence[str], rng: random.Random | None) -> Tensor:
        """Float32, shape (N, 3, H, W)."""
        return torch.from_numpy(
            np.stack([self._view(self._photos.open(name), rng) for name in names])
        )

    def _view(
        self, image: Image, rng: random.Random | None
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        if rng is None:
            return preprocess(image, self._preprocessing)
        height, width = image.shape[:2]
        rows = height * rng.uniform(self._crop, 1)
        columns = width * rng.uniform(self._crop, 1)
        top, left = rng.uniform(0, height - rows), rng.uniform(0, width - columns)
        # Cut and resized in one go, with the filter that preprocess() uses.
        picture = PillowImage.fromarray(image).resize(
            (self._preprocessing.width, self._preprocessing.height),
            PillowImage.Resampling.BILINEAR,
            box=(left, top, left + columns, top + rows),
        )
        if rng.random() < 0.5:
            picture = picture.transpose(PillowImage.Transpose.FLIP_LEFT_RIGHT)
        return preprocess(np.asarray(picture), self._preprocessing)


def encode_captions(
    dataset: CaptionedPhotos, vocabulary: Vocabulary, max_length: int
) -> dict[str, list[list[int]]]:
    """Per photo its captions as numbers with <EOS>, except where a caption was cut off."""
    encoded = {}
    for name, captions in dataset.captions.items():
        numbers = [vocabulary.encode(caption) for caption in captions]
        encoded[name] = [
            words[:max_length] if len(words) > max_length else [*words, END] for words in numbers
        ]
    return encoded


def collate(
    names: Sequence[str],
    pixels: Tensor,
    captions: Mapping[str, Sequence[Sequence[int]]],
    rng: random.Random,
) -> Batch:
    """Puts photos and captions together.

    Every photo gets as many captions as the one that has most of them: some come twice.
    """
    most = max(len(captions[name]) for name in names)
    rows: list[Sequence[int]] = []
    for name in names:
        own = list(captions[name])
        rows += own + rng.choices(own, k=most - len(own))
    length = max(len(row) for row in rows)
    targets = torch.full((len(rows), length), PAD)
    for index, row in enumerate(rows):
        targets[index, : len(row)] = torch.tensor(row)
    starts = torch.full((len(rows), 1), START)
    tokens = torch.cat((starts, targets[:, :-1]), 1)
    # Behind the end the decoder reads padding; those steps have no target.
    return Batch(tuple(names), pixels, tokens.masked_fill(tokens == END, PAD), targets)


def epoch_batches(
    names: Sequence[str],
    source: PhotoSource,
    captions: Mapping[str, Sequence[Sequence[int]]],
    photos_per_batch: int,
    *,
    seed: int,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Batch]:
    """The batches of an epoch, made ahead of time on a thread.

    Args:
        names: Photos to go through, once.
        source: Of their pixels.
        captions: As :func:`encode_captions` gives them.
        photos_per_batch: The last, smaller batch is left out unless it is the only one.
        seed: Of order and views; use another one for each epoch.
        rank: This process among ...
        world: ... that many; each gets its own share, and all get equally many batches.
    """
    order = list(names)
    random.Random(seed).shuffle(order)  # noqa: S311 (no secret depends on it)
    share = order[rank : len(order) // world * world : world]
    count = max(1, len(share) // photos_per_batch)
    rng = random.Random(f"{seed}-{rank}")  # noqa: S311

    def make() -> Iterator[Batch]:
        for index in range(count):
            chosen = share[index * photos_per_batch : (index + 1) * photos_per_batch]
            yield collate(chosen, source.read(chosen, rng), captions, rng)

    return ahead(make)


def ahead(make: Callable[[], Iterator[Item]], depth: int = 3) -> Iterator[Item]:
    """Runs an iterator on a thread, ``depth`` items ahead of who consumes it."""
    items: queue.Queue[Item | BaseException | None] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: Item | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                items.put(item, timeout=0.2)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for item in make():
                put(item)
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001 (raised again where the items are used)
            put(error)

    thread = threading.Thread(target=work, name="batches", daemon=True)
    thread.start()
    try:
        while (item := items.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
