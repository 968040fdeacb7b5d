"""Tests of batches."""

import random
import threading
from collections.abc import Callable, Iterator

import pytest
import torch

from model_server.captioning.vocabulary import END, PAD, START, Vocabulary
from model_server.imaging import Preprocessing, preprocess
from training.batches import LivePhotos, ahead, collate, encode_captions, epoch_batches
from training.dataset import CaptionedPhotos

Make = Callable[..., CaptionedPhotos]


class Nothing:
    def read(self, names: object, rng: object) -> torch.Tensor:
        return torch.zeros(len(names), 1)  # type: ignore[arg-type]


def test_inputs_and_targets() -> None:
    """Inputs begin with the start, targets end with the end, both are padded alike."""
    batch = collate(["a"], torch.zeros(1), {"a": [[5, 6, END], [7, END]]}, random.Random(0))
    assert batch.tokens.tolist() == [[START, 5, 6], [START, 7, PAD]]
    assert batch.targets.tolist() == [[5, 6, END], [7, END, PAD]]


def test_photos_with_fewer_captions_repeat_some() -> None:
    """Every photo has equally many rows, side by side."""
    captions = {"a": [[5, END]], "b": [[6, END], [7, END]]}
    batch = collate(["a", "b"], torch.zeros(2), captions, random.Random(0))
    assert batch.targets[:2].tolist() == [[5, END], [5, END]]
    assert batch.targets[2:].tolist() == [[6, END], [7, END]]


def test_long_captions_are_cut_without_an_end(make_dataset: Make) -> None:
    """A caption that goes on does not teach the model to stop there."""
    dataset = make_dataset(1)
    vocabulary = Vocabulary.build(["a red wall the is today"], min_count=1)
    encoded = encode_captions(dataset, vocabulary, max_length=3)
    assert encoded["0.png"][0] == [*vocabulary.encode("a red wall"), END]
    assert encoded["0.png"][1] == vocabulary.encode("the wall is")


def test_an_epoch_goes_through_every_photo_once() -> None:
    """In another order each epoch; two processes share the photos without overlap."""
    names = [str(number) for number in range(12)]
    captions = {name: [[5, END]] for name in names}

    def epoch(seed: int, rank: int = 0, world: int = 1) -> list[str]:
        batches = epoch_batches(names, Nothing(), captions, 3, seed=seed, rank=rank, world=world)
        return [name for batch in batches for name in batch.names]

    assert sorted(epoch(0)) == sorted(names)
    assert epoch(0) == epoch(0) != epoch(1)
    assert sorted(epoch(0, 0, 2) + epoch(0, 1, 2)) == sorted(names)


def test_training_views_are_the_serving_preprocessing(make_dataset: Make) -> None:
    """Without a random view, pixels are exactly what the server computes from the photo."""
    dataset = make_dataset(2)
    spec = Preprocessing(16, 16, "BGR", (104.0, 117.0, 123.0), (2.0, 2.0, 2.0))
    source = LivePhotos(dataset.photos, spec)
    expected = preprocess(dataset.photos.open("1.png"), spec)
    assert source.read(["1.png"], None)[0].numpy().tolist() == expected.tolist()
    views = source.read(["1.png"] * 8, random.Random(0))
    assert views.shape == (8, 3, 16, 16)
    assert len({view.numpy().tobytes() for view in views}) > 1


def test_an_error_while_reading_reaches_the_trainer() -> None:
    """A photo that cannot be read ends training with its error, not with a hang."""

    def broken() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    items = ahead(broken)
    assert next(items) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(items)


def test_reading_ahead_stops_with_the_reader() -> None:
    """Leaving early leaves no thread behind that goes on reading."""
    made: list[int] = []
    before = set(threading.enumerate())

    def endless() -> Iterator[int]:
        while True:
            made.append(len(made))
            yield made[-1]

    items = ahead(endless, depth=2)
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert len(made) <= 5
    assert not set(threading.enumerate()) - before
