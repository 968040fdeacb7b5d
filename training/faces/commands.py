"""lookalike-train faces: face descriptions from attribute scores and face meshes."""

from __future__ import annotations

import csv
import gzip
import json
import logging
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from model_server.bundle import BUNDLES
from model_server.errors import LookalikeError

__all__ = ["app"]

app = typer.Typer(help=__doc__, no_args_is_help=True)
console = Console(stderr=True)

Data = Annotated[Path, typer.Option(help="LFW: images.tar, images.csv, attributes.csv.gz.")]
Work = Annotated[Path, typer.Option(help="Where caches and runs live; what is there is used.")]


def _study(data: Path, work: Path) -> Any:
    from training.faces.study import prepare_study

    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("finding faces", total=None)
        try:
            return prepare_study(data, work, progress=lambda done: bar.update(task, completed=done))
        except (OSError, LookalikeError) as error:
            console.print(f"[red]error:[/red] {error}", highlight=False)
            raise typer.Exit(1) from error


@app.command()
def labels(
    *,
    data: Data,
    work: Work = Path("runs/faces"),
    celeba: Annotated[Path | None, typer.Option(help="CelebA's attributes.csv.gz.")] = None,
    out: Annotated[Path | None, typer.Option(help="CSV of the captions that labels give.")] = None,
) -> None:
    """Labels the faces, and shows how many show what."""
    from model_server.captioning.face_grammar import describe
    from training.faces.labels import PRESENT, RULES, UNKNOWN, VALUES, base_rates

    study = _study(data, work)
    table = Table("value", "rule", "present", "unknown", title=f"{len(study.faces.names)} photos")
    for column, value in enumerate(VALUES):
        known, rule = study.labels.table[:, column], RULES[value]
        table.add_row(
            f"{value.name}.{value.value}",
            f"{rule.present:.3f} / {rule.possible:.3f}",
            f"{np.mean(known == PRESENT):.3f}",
            f"{np.mean(known == UNKNOWN):.3f}",
        )
    Console().print(table)
    if celeba:
        with gzip.open(celeba, "rt", encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream)
            header = next(reader)[3:]
            shown = np.array([[cell == "1" for cell in row[3:]] for row in reader])
        there = dict(zip(header, shown.T, strict=True))
        rates = Table("CelebA attribute", "CelebA", "as mixed here", title="Base rates")
        for name, rate in base_rates(there, study.faces.scores).items():
            rates.add_row(name, f"{there[name].mean():.3f}", f"{rate:.3f}")
        Console().print(rates)
    if out:
        with out.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["image_name", "caption"])
            for row, name in enumerate(study.faces.names):
                writer.writerow([name, describe(study.labels.attributes(row))])


@app.command()
def evaluate(
    *,
    data: Data,
    bundle: Annotated[str, typer.Option(help="Name or folder of a bundle, or best.pt.")] = "faces",
    work: Work = Path("runs/faces"),
    tuned: Annotated[
        Path | None, typer.Option(help="The tuned encoder with its head: the yardstick.")
    ] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Where to write it all.")] = None,
    beam: int | None = None,
) -> None:
    """Scores descriptions of the validation faces by the attributes parsed back from them."""
    from training.evaluate import open_candidate
    from training.faces.pipeline import evaluate_faces, load_tuned, yardstick

    study = _study(data, work)
    try:
        candidate = open_candidate(bundle, beam_size=beam)
    except LookalikeError as error:
        console.print(f"[red]error:[/red] {error}", highlight=False)
        raise typer.Exit(1) from error
    result = evaluate_faces(
        candidate, study, yardstick(study, load_tuned(tuned)) if tuned else None
    )
    if json_:
        json_.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    _show(result)


def _show(result: dict[str, Any]) -> None:
    names = ("classifier", "classifier_at_half", "captioner", "constant")
    shown = [name for name in names if name in result]
    table = Table("", *shown, title=f"{result['candidate']}, {result['faces']} validation faces")
    for key in (
        "micro_f1", "macro_f1", "precision", "recall", "contradictions", "distinct", "empty",
        "attributes_per_caption",
    ):  # fmt: skip
        cells = [result[name].get(key) for name in shown]
        table.add_row(key, *("" if cell is None else f"{cell:.4g}" for cell in cells))
    Console().print(table)
    for key, value in result["ratios"].items():
        typer.echo(f"{key}: {value:.3f}")
    typer.echo(f"constant caption: {result['constant']['caption']}")
    values = Table("value", "F1", title="Captioner")
    for name, f1 in sorted(result["captioner"]["f1"].items(), key=lambda item: -item[1]):
        values.add_row(name, f"{f1:.3f}")
    Console().print(values)


@app.command()
def recipe(
    *,
    version: Annotated[str, typer.Option(help="Of the bundle; none that is in use.")],
    data: Data,
    work: Work = Path("runs/faces"),
    out: Annotated[Path, typer.Option(help="The bundle.")] = BUNDLES / "faces",
) -> None:
    """Everything from raw data to the bundle; goes on where it was stopped."""
    from training.recipes.faces import main

    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    main(version=version, data=data, work=work, out=out)
