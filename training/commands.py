"""lookalike-train: from a folder of images and a captions.csv to a bundle that is served."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from model_server.captioning.vocabulary import Vocabulary
from model_server.errors import LookalikeError
from training.dataset import CaptionedPhotos, load_dataset
from training.photos import open_photos

__all__ = ["app"]

app = typer.Typer(
    help=__doc__, no_args_is_help=True, pretty_exceptions_show_locals=False, add_completion=False
)
console = Console(stderr=True)

Images = Annotated[Path, typer.Option(help="Folder or uncompressed tar of photos.")]
Captions = Annotated[Path, typer.Option(help="CSV with image_name,caption; several rows a photo.")]
Folder = Annotated[Path, typer.Option(help="Where the run lives; an interrupted one goes on.")]


@app.callback()
def _start() -> None:
    logging.basicConfig(
        level="INFO",
        format="%(message)s",
        handlers=[RichHandler(console=console, show_path=False, markup=False)],
        force=True,
    )
    for loud in ("matplotlib", "nncf"):
        logging.getLogger(loud).setLevel("WARNING")


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def _load(images: Path, captions: Path) -> CaptionedPhotos:
    try:
        dataset = load_dataset(open_photos(images), captions)
    except (OSError, ValueError) as error:
        raise _failed(error) from error
    if not dataset.names:
        raise _failed(f"no photo of {images} has a caption in {captions}")
    return dataset


def _failed(reason: object) -> typer.Exit:
    console.print(f"[red]error:[/red] {reason}", highlight=False)
    return typer.Exit(1)


@app.command()
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
        dataset = load_dataset(open_photos(images), captions, compare_pictures=True)
        splits = split_dataset(dataset, {"train": 1 - dev, "dev": dev}, seed=seed, people=people)
        check_leakage(splits["train"], splits["dev"])
    except (OSError, ValueError) as error:
        raise _failed(error) from error
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


@app.command()
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
        raise _failed(error) from error
    words.save(out)
    console.print(f"{len(words)} words, digest {words.digest}")


@app.command()
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
        raise _failed(error) from error
    with _bar() as bar:
        task = bar.add_task("photos", total=len(photos.names))
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
    console.print(str(cache.folder))


@app.command()
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
    from training.optimization import NonFiniteLossError
    from training.trainer import train as run

    try:
        values = json.loads(config.read_text(encoding="utf-8")) if config else {}
        values |= dict(_assignment(text) for text in option or ())
        chosen = TrainConfig.from_dict(values)
        data = _load(images, captions)
        held_out = _load(dev_images or images, dev_captions)
        progress = run(out, chosen, data, held_out, cache=cache)
    except (OSError, ValueError, NonFiniteLossError) as error:
        raise _failed(error) from error
    console.print(f"best CIDEr {progress.best:.4f} in epoch {progress.best_epoch}")


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f'--set takes name=value, not "{text}"')
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


@app.command()
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
        raise _failed(error) from error
    console.print(f"distance {history[-1]:.4f}; the student is {out / 'student.pt'}")


@app.command()
def evaluate(
    *,
    images: Images,
    captions: Captions,
    bundle: Annotated[str, typer.Option(help="Name or folder of a bundle, or a .pt file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for scores.json and index.html.")] = None,
    train_captions: Annotated[Path | None, typer.Option(help="To count copied captions.")] = None,
    beam: Annotated[int | None, typer.Option(help="Instead of the bundle's; 1 is greedy.")] = None,
    length_penalty: float | None = None,
    meteor: Annotated[bool, typer.Option(help="Where Java is present.")] = True,
) -> None:
    """Scores a captioner on any photos with captions."""
    from training.dataset import read_captions
    from training.evaluate import evaluate as run
    from training.evaluate import open_candidate
    from training.report import write_report

    dataset = _load(images, captions)
    try:
        candidate = open_candidate(bundle, beam_size=beam, length_penalty=length_penalty)
        known = [text for _, text in read_captions(train_captions)] if train_captions else []
    except (OSError, ValueError, LookalikeError) as error:
        raise _failed(error) from error
    with _bar() as bar:
        task = bar.add_task("photos", total=len(dataset.names))
        result = run(
            candidate,
            dataset,
            training_captions=known,
            meteor=meteor,
            progress=lambda done: bar.update(task, completed=done),
        )
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


@app.command()
def export(
    *,
    checkpoint: Annotated[Path, typer.Option(help="best.pt of a run.")],
    out: Annotated[Path, typer.Option(help="Folder of the bundle.")],
    images: Images,
    captions: Captions,
    name: str = "photos",
    version: str = "1",
    license_: Annotated[str, typer.Option("--license", help="Of the weights.")] = "unknown",
    calibrate: Annotated[int, typer.Option(help="Training photos for int8; 0: fp16.")] = 300,
    beam: int = 3,
    max_length: int = 20,
    length_penalty: float = 0.7,
    weights: Annotated[bool, typer.Option(help="Add weights.safetensors.")] = False,
) -> None:
    """Makes the bundle that the server loads. Give it the training photos and captions."""
    from training.checkpoint import load_model
    from training.export import BundleFacts, export_bundle, sample_photos

    data = _load(images, captions)
    try:
        model, words, preprocessing, config, content = load_model(checkpoint)
        _check_trained_on(content, data)
        facts = BundleFacts(
            name,
            version,
            license_,
            {"beam_size": beam, "max_length": max_length, "length_penalty": length_penalty},
            data={"train": data.digest},
            metrics={"held_out_greedy": content["history"][-1]},
            training=config.to_dict(),
            card=f"# {name}\n\nTrained by lookalike-train; see bundle.json for what with.\n",
        )
        export_bundle(
            out,
            model,
            words,
            preprocessing,
            facts,
            calibration=sample_photos(data.photos, data.names, calibrate),
            keep_weights=weights,
        )
    except (OSError, ValueError) as error:
        raise _failed(error) from error
    console.print(str(out))
