"""The command about data: prepare."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from training.commands.common import Captions, Images, console, failed
from training.dataset import load_dataset
from training.photos import open_photos

__all__ = ["prepare"]


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
