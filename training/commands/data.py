"""Commands about data: prepare, vocabulary, features."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from model_server.captioning.vocabulary import Vocabulary
from training.commands.common import Captions, Images, console, failed, progress_bar
from training.dataset import load_dataset
from training.photos import open_photos

__all__ = ["features", "prepare", "vocabulary"]


def prepare(
    *,
    images: Images,
    captions: Captions,
    out: Annotated[Path, typer.Option(help="Folder for train.csv, dev.csv and report.json.")],
    dev: Annotated[float, typer.Option(help="Share that is held out.")] = 0.1,
    people: Annotated[bool, typer.Option(help="Names tell people: never cut one in two.")] = False,
    seed: int = 0,
) -> None:
    """Checks a data set and splits it."""
    from training.dataset import check_leakage
    from training.prepare import split_dataset, write_captions

    try:
        dataset = load_dataset(open_photos(images), captions, check_pictures=True)
        splits = split_dataset(dataset, {"train": 1 - dev, "dev": dev}, seed=seed, people=people)
        check_leakage(splits["train"], splits["dev"])
    except (OSError, ValueError) as error:
        raise failed(error) from error
    out.mkdir(parents=True, exist_ok=True)
    for split, part in splits.items():
        write_captions(part, out / f"{split}.csv")
    (out / "report.json").write_text(dataset.report.to_json() + "\n", encoding="utf-8")
    table = Table("what", "count", "first", title=str(captions))
    for name, value in asdict(dataset.report).items():
        listed = isinstance(value, list)
        count, first = (len(value), ", ".join(value[:2])) if listed else (value, "")
        table.add_row(name.replace("_", " "), str(count), first)
    for split, part in splits.items():
        table.add_row(f"{split} split", str(len(part.names)), part.digest)
    console.print(table)


def vocabulary(
    *,
    captions: Captions,
    out: Annotated[Path, typer.Option(help="vocab.json")],
    min_count: Annotated[int, typer.Option(help="Rarer words become <UNK>.")] = 5,
) -> None:
    """Collects the words of training captions."""
    from training.dataset import read_captions

    try:
        words = Vocabulary.build((text for _, text in read_captions(captions)), min_count)
    except (OSError, ValueError) as error:
        raise failed(error) from error
    words.save(out)
    console.print(f"{len(words)} words, digest {words.digest}")


def features(
    *,
    images: Images,
    out: Annotated[Path, typer.Option(help="Folder of caches.")],
    encoder: str = "resnet50-half",
    weights: str = "best",
    batch: int = 32,
    mirrored: Annotated[bool, typer.Option(help="Also of the mirrored photos.")] = True,
    threads: int = 0,
) -> None:
    """Computes an encoder's features of all photos, once."""
    import torch

    from training.encoders import build_encoder
    from training.features import cache_features

    if threads:
        torch.set_num_threads(threads)
    try:
        network, preprocessing = build_encoder(encoder, weights)
        photos = open_photos(images)
    except (OSError, ValueError) as error:
        raise failed(error) from error
    with progress_bar() as bar:
        task = bar.add_task("photos", total=len(photos.names))
        try:
            cache = cache_features(
                photos,
                photos.names,
                network,
                preprocessing,
                out,
                mirrored=mirrored,
                batch=batch,
                device="cuda" if torch.cuda.is_available() else "cpu",
                progress=lambda done: bar.update(task, completed=done),
            )
        except (OSError, ValueError, ArithmeticError) as error:
            raise failed(error) from error
    console.print(str(cache.folder))
