"""Images per second of training's three parts: features, training steps, captions.

    python -m benchmarks.training [--images PHOTOS --captions CSV] [--photos 64]

Without photos it draws some, which are smaller than real ones: give it yours. It also says which
share of the time the trainer waits for data; the goal is under 10 %.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from training.config import TrainConfig
from training.dataset import load_dataset
from training.evaluate import open_candidate
from training.photos import open_photos
from training.recipes.tiny import draw_dataset
from training.trainer import Trainer, train


def main(
    *,
    images: Path | None = None,
    captions: Path | None = None,
    photos: Annotated[int, typer.Option(help="How many of them.")] = 64,
    encoder: str = "resnet50-half",
    precision: str = "float32",
    threads: int = 2,
) -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        if images is None or captions is None:
            images, captions = work / "data", work / "data" / "captions.csv"
            draw_dataset(images, photos + photos // 4)
        dataset = load_dataset(open_photos(images), captions)
        data = dataset.subset(dataset.names[:photos])
        held_out = dataset.subset(dataset.names[photos : photos + photos // 4])
        table = Table("part", "images/s", "waiting for data", title=f"{encoder}, {precision}")
        for live in (False, True):
            config = TrainConfig(
                encoder=encoder,
                fine_tune=("backbone.layer4",) if live else (),
                epochs=1,
                self_critical_epochs=0 if live else 1,
                min_count=1,
                photos_per_batch=16,
                precision=precision,
                threads=threads,
            )
            started = time.perf_counter()
            ready: list[float] = []

            def watch(trainer: Trainer, ready: list[float] = ready) -> None:
                del trainer
                ready.append(time.perf_counter())

            folder = work / f"run-{live}"
            progress = train(folder, config, data, held_out, watch=watch)
            if not live:  # two views of each photo to learn from, one of each held out
                views = 2 * len(data.names) + len(held_out.names)
                table.add_row(
                    "features (and setting up)", f"{views / (ready[0] - started):.1f}", ""
                )
            for entry in progress.history:
                table.add_row(
                    f"{entry['phase']}, {'encoder tuned' if live else 'cached features'}",
                    f"{len(data.names) / entry['seconds']:.1f}",
                    f"{entry['waited'] / entry['seconds']:.1%}",
                )
        candidate = open_candidate(str(work / "run-False" / "best.pt"))
        started = time.perf_counter()
        candidate.caption(held_out)
        rate = len(held_out.names) / (time.perf_counter() - started)
        table.add_row("captions, beam 3, torch", f"{rate:.1f}", "")
        Console().print(table)


if __name__ == "__main__":
    typer.run(main)
