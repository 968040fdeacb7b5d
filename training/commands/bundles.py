"""Commands about what was trained: evaluate, export, lighten."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from model_server.errors import LookalikeError
from training.commands.common import (
    Captions,
    Images,
    console,
    failed,
    load_captioned,
    progress_bar,
)
from training.dataset import CaptionedPhotos

__all__ = ["evaluate", "export", "lighten"]


def evaluate(
    *,
    images: Images,
    captions: Captions,
    bundle: Annotated[str, typer.Option(help="Name or folder of a bundle, or a .pt file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for scores.json and index.html.")] = None,
    train_captions: Annotated[Path | None, typer.Option(help="To count copied captions.")] = None,
    beam: Annotated[
        int | None, typer.Option(help="Instead of the bundle's; 1 is greedy.", min=1)
    ] = None,
    length_penalty: float | None = None,
    meteor: Annotated[bool, typer.Option(help="Where Java is present.")] = True,
) -> None:
    """Scores a captioner on any photos with captions."""
    from training.dataset import read_captions
    from training.evaluate import evaluate as run
    from training.evaluate import open_candidate
    from training.report import write_report

    dataset = load_captioned(images, captions)
    try:
        candidate = open_candidate(bundle, beam_size=beam, length_penalty=length_penalty)
        known = [text for _, text in read_captions(train_captions)] if train_captions else []
    except (OSError, ValueError, LookalikeError) as error:
        raise failed(error) from error
    with progress_bar() as bar:
        task = bar.add_task("photos", total=len(dataset.names))
        try:
            result = run(
                candidate,
                dataset,
                training_captions=known,
                meteor=meteor,
                progress=lambda done: bar.update(task, completed=done),
            )
        except (OSError, ValueError) as error:
            raise failed(error) from error
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "scores.json").write_text(result.to_json() + "\n", encoding="utf-8")
        write_report(out / "index.html", result, dataset)
    if as_json:
        typer.echo(json.dumps(result.summary(), indent=2))
        return
    table = Table("metric", "value", title=f"{result.candidate}, {result.photos} photos")
    for name, value in result.metrics.items():
        table.add_row(name, f"{value:.4f}")
    Console().print(table)


def _check_trained_on(checkpoint: Mapping[str, Any], data: CaptionedPhotos) -> None:
    if checkpoint["data"] != data.digest:
        raise ValueError("these are not the photos and captions that the run was trained on")


def export(
    *,
    checkpoint: Annotated[Path, typer.Option(help="best.pt of a run.")],
    out: Annotated[Path, typer.Option(help="Folder of the bundle.")],
    images: Images,
    captions: Captions,
    dev_captions: Annotated[
        Path | None, typer.Option(help="CSV of held-out photos, to compare int8 with fp32.")
    ] = None,
    dev_images: Annotated[Path | None, typer.Option(help="If they are elsewhere.")] = None,
    name: str = "photos",
    version: str = "1",
    license_: Annotated[str, typer.Option("--license", help="Of the weights.")] = "unknown",
    calibrate: Annotated[int, typer.Option(help="Training photos for int8; 0: fp16.")] = 300,
    beam: Annotated[int, typer.Option(min=1)] = 3,
    max_length: Annotated[int, typer.Option(min=1)] = 20,
    length_penalty: float = 0.7,
    weights: Annotated[bool, typer.Option(help="Add weights.safetensors.")] = True,
) -> None:
    """Makes the bundle that the server loads. Give it the training photos and captions.

    With held-out photos it is scored; where int8 costs more than 1 % of CIDEr it stays in fp16.
    """
    from training.checkpoint import load_model
    from training.export import BundleFacts
    from training.scored_export import export_scored

    data = load_captioned(images, captions)
    held_out = load_captioned(dev_images or images, dev_captions) if dev_captions else None
    try:
        *_, config, content = load_model(checkpoint)
        _check_trained_on(content, data)
        facts = BundleFacts(
            name,
            version,
            license_,
            {"beam_size": beam, "max_length": max_length, "length_penalty": length_penalty},
            metrics={"held_out_greedy": content["history"][-1]},
            training=config.to_dict(),
        )
        precision = export_scored(
            out, checkpoint, facts, data, held_out, calibrate=calibrate, keep_weights=weights
        )
    except (OSError, ValueError, LookalikeError) as error:
        raise failed(error) from error
    console.print(f"{out}, encoder in {precision}")


def lighten(
    bundle: Annotated[Path, typer.Option(help="Folder of the bundle.")],
    version: Annotated[str, typer.Option(help="The new one.")],
) -> None:
    """Gives the decoder of a bundle int8 weights, as the export does today.

    Scores and model card stay those of the decoder before.
    """
    from training.lighten import lighten_bundle

    try:
        lighten_bundle(bundle, version)
    except (OSError, KeyError, ValueError) as error:
        raise failed(error) from error
    console.print(
        f"{bundle}, version {version}, decoder in int8; its scores and MODEL_CARD.md are still "
        "those of the decoder before: lookalike-train evaluate tells what it costs"
    )
