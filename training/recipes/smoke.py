"""Every encoder trains a captioner: a few drawn photos, one epoch, captions, seconds.

    python -m training.recipes.smoke [--encoder vgg16] [--weights best] [--photos 6]

Random weights by default, so that nothing is downloaded; the losses are then no measure of
anything. Shows which encoders work on this machine, and what each costs.
"""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from training.config import TrainConfig
from training.dataset import load_dataset
from training.encoders import ENCODERS
from training.evaluate import open_candidate
from training.photos import open_photos
from training.recipes.tiny import draw_dataset
from training.trainer import train

__all__ = ["Smoke", "main", "smoke"]


@dataclass(frozen=True, slots=True)
class Smoke:
    """What came of an encoder.

    Attributes:
        encoder: Its name.
        loss: Mean over the epoch's batches.
        captions: Of the held-out photos, by beam search.
        seconds: For all of it.
    """

    encoder: str
    loss: float
    captions: tuple[str, ...]
    seconds: float


def smoke(work: Path, encoder: str, *, weights: str = "none", photos: int = 6) -> Smoke:
    """Trains a small decoder on an encoder for one epoch, loads it again, captions with it.

    Args:
        work: An empty folder.
        encoder: A key of :data:`training.encoders.ENCODERS`.
        weights: As in training.encoders.
        photos: To draw; a third of them is held out.

    Raises:
        ArithmeticError: The loss is no number.
    """
    started = time.perf_counter()
    draw_dataset(work / "data", photos)
    dataset = load_dataset(open_photos(work / "data"), work / "data" / "captions.csv")
    cut = photos - photos // 3
    held_out = dataset.subset(dataset.names[cut:])
    config = TrainConfig(
        encoder=encoder,
        encoder_weights=weights,
        decoder_options={"hidden": 32},
        min_count=1,
        max_length=8,
        photos_per_batch=2,
        epochs=1,
    )
    progress = train(work / "run", config, dataset.subset(dataset.names[:cut]), held_out)
    loss = float(progress.history[-1]["loss"])
    if not math.isfinite(loss):
        raise ArithmeticError(f"{encoder}: the loss is {loss}")
    captions = open_candidate(str(work / "run" / "best.pt")).caption(held_out)
    seconds = time.perf_counter() - started
    return Smoke(encoder, loss, tuple(captions.values()), round(seconds, 1))


def main(
    *,
    encoder: Annotated[list[str] | None, typer.Option(help="Such as vgg16; all of them.")] = None,
    weights: Annotated[str, typer.Option(help="none, best, imagenet, package or a file.")] = "none",
    photos: Annotated[int, typer.Option(min=3)] = 6,
) -> None:
    """Prints a row for each encoder."""
    table = Table("encoder", "channels", "input", "loss", "a caption", "seconds")
    for name in encoder or list(ENCODERS):
        with tempfile.TemporaryDirectory() as folder:
            result = smoke(Path(folder), name, weights=weights, photos=photos)
        size = ENCODERS[name].preprocessing
        table.add_row(
            name,
            str(ENCODERS[name].channels),
            f"{size.width} x {size.height}",
            f"{result.loss:.2f}",
            result.captions[0],
            f"{result.seconds}",
        )
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
