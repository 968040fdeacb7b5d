"""The whole chain on drawn pictures, on a CPU, in well under a minute.

    python -m training.recipes.tiny --work runs/tiny

It shows newcomers every step, and it runs inside the tests.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image as PillowImage
from PIL import ImageDraw

from training.checkpoint import load_model
from training.config import TrainConfig
from training.dataset import load_dataset
from training.evaluate import Evaluation, evaluate, open_candidate
from training.export import BundleFacts, export_bundle, sample_photos
from training.photos import open_photos
from training.prepare import split_dataset
from training.report import write_report
from training.trainer import train

__all__ = ["CONFIG", "draw_dataset", "run"]

COLOURS = {"red": (220, 40, 40), "green": (40, 170, 60), "blue": (50, 80, 220)}
SHAPES = ("circle", "square", "triangle")

CONFIG = TrainConfig(
    encoder="resnet50-half",
    decoder_options={"hidden": 64, "dropout": 0.1},
    min_count=1,
    max_length=10,
    photos_per_batch=8,
    epochs=6,
    learning_rate=5e-3,
    label_smoothing=0.05,
    ema=0.9,
    self_critical_epochs=1,
    self_critical_learning_rate=1e-4,
    samples=3,
    threads=2,
)


def draw_dataset(folder: Path, photos: int = 72, seed: int = 0) -> None:
    """Draws coloured shapes and writes captions.csv beside them: three captions each."""
    rng = random.Random(seed)  # noqa: S311 (no secret depends on it)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for index in range(photos):
        colour, shape = rng.choice(list(COLOURS)), rng.choice(SHAPES)
        name = f"drawing_{index:03}.png"
        _draw(rng, shape, COLOURS[colour]).save(folder / name)
        rows += [
            (name, f"A {colour} {shape} on a grey ground ."),
            (name, f"there is a {colour} {shape}"),
            (name, f'A "{shape}", {colour}, in front of grey'),
        ]
    with (folder / "captions.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image_name", "caption"])
        writer.writerows(rows)


def _draw(rng: random.Random, shape: str, colour: tuple[int, int, int]) -> PillowImage.Image:
    noise = np.random.default_rng(rng.randrange(2**32)).normal(150, 12, (96, 96, 1))
    picture = PillowImage.fromarray(np.clip(noise, 0, 255).astype(np.uint8).repeat(3, 2))
    pen = ImageDraw.Draw(picture)
    size = rng.randint(36, 60)
    x, y = rng.randint(4, 92 - size), rng.randint(4, 92 - size)
    box = (x, y, x + size, y + size)
    if shape == "circle":
        pen.ellipse(box, fill=colour)
    elif shape == "square":
        pen.rectangle(box, fill=colour)
    else:
        pen.polygon([(x, y + size), (x + size, y + size), (x + size // 2, y)], fill=colour)
    return picture


def run(work: Path, config: TrainConfig = CONFIG) -> Evaluation:
    """Draws, prepares, trains, exports to int8 and evaluates the bundle as it is served."""
    draw_dataset(work / "data")
    dataset = load_dataset(open_photos(work / "data"), work / "data" / "captions.csv")
    splits = split_dataset(dataset, {"train": 0.75, "dev": 0.25})
    train(work / "run", config, splits["train"], splits["dev"])
    model, vocabulary, preprocessing, _, _ = load_model(work / "run" / "best.pt")
    facts = BundleFacts(
        "tiny",
        "1",
        "CC0-1.0",
        {"beam_size": 3, "max_length": 12, "length_penalty": 0.7},
        data={name: split.digest for name, split in splits.items()},
        training=config.to_dict(),
        card="# tiny\n\nKnows coloured shapes. For tests.\n",
    )
    photos = sample_photos(splits["train"].photos, splits["train"].names, 16)
    export_bundle(work / "tiny", model, vocabulary, preprocessing, facts, calibration=photos)
    known = [text for texts in splits["train"].captions.values() for text in texts]
    result = evaluate(open_candidate(str(work / "tiny")), splits["dev"], training_captions=known)
    (work / "scores.json").write_text(result.to_json() + "\n", encoding="utf-8")
    write_report(work / "index.html", result, splits["dev"], photos=6)
    return result


def main(work: Annotated[Path, typer.Option(help="Folder to work in.")]) -> None:
    """Runs the chain and prints the scores."""
    for name, value in run(work).metrics.items():
        typer.echo(f"{name:8} {value:.3f}")


if __name__ == "__main__":
    typer.run(main)
