"""Commands that learn: train, distil."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from training.commands.common import Captions, Folder, Images, console, failed, load_captioned
from training.photos import open_photos

__all__ = ["distil", "train"]


def train(
    *,
    images: Images,
    captions: Captions,
    dev_captions: Annotated[Path, typer.Option(help="CSV of the held-out photos.")],
    out: Folder,
    dev_images: Annotated[Path | None, typer.Option(help="If they are elsewhere.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="JSON of training.config.TrainConfig.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--set", help="name=value, over the file; JSON values.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of feature caches.")] = None,
) -> None:
    """Trains a captioner. Under torchrun every process takes its share."""
    from training.config import TrainConfig
    from training.trainer import train as run

    try:
        values = json.loads(config.read_text(encoding="utf-8")) if config else {}
        values |= dict(_assignment(text) for text in option or ())
        chosen = TrainConfig.from_dict(values)
        data = load_captioned(images, captions)
        held_out = load_captioned(dev_images or images, dev_captions)
        progress = run(out, chosen, data, held_out, cache=cache)
    except (OSError, ValueError, ArithmeticError) as error:
        raise failed(error) from error
    console.print(f"best CIDEr {progress.best:.4f} in epoch {progress.best_epoch}")


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f'--set takes name=value, not "{text}"')
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def distil(
    *,
    images: Images,
    out: Folder,
    teacher: str = "efficientnet-lite2",
    student: str = "resnet50-half",
    widen: Annotated[bool, typer.Option(help="Widen the student first (Net2Net).")] = False,
    epochs: int = 5,
    batch: int = 32,
    learning_rate: float = 2e-4,
    precision: str = "float32",
    threads: int = 0,
) -> None:
    """Teaches an encoder what another one sees, on photos without captions."""
    from training.distil import DistilConfig
    from training.distil import distil as run

    try:
        chosen = DistilConfig(
            teacher=teacher,
            student=student,
            widen=widen,
            epochs=epochs,
            batch=batch,
            learning_rate=learning_rate,
            precision=precision,
            threads=threads,
        )
        history = run(out, chosen, open_photos(images))
    except (OSError, ValueError, ArithmeticError) as error:
        raise failed(error) from error
    console.print(
        f"distance {history[-1]:.4f}; train with --set encoder={chosen.result} "
        f"--set encoder_weights={out / 'student.pt'}"
    )
