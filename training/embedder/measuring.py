"""lookalike-train embedder: what is converted, and what is measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from model_server.analysis import FloatArray, Image
from model_server.bundle import BUNDLES
from training.checkpoint import load_model
from training.embedder.augment import centre
from training.embedder.convert_detector import convert_detector
from training.embedder.convert_dlib import agreement, convert, dlib_file
from training.embedder.crops import LANDMARKS, FaceSet
from training.embedder.distil import training_rows
from training.embedder.inputs import (
    EMBEDDER,
    Bundle,
    Data,
    Folder,
    read_detector,
    read_embedder,
    read_targets,
)
from training.embedder.scenes import detection_table
from training.embedder.teacher import Reference
from training.embedder.two_in_one import encode_portraits, linear_head
from training.embedder.verification import PairTests

__all__ = ["app"]

app = typer.Typer(add_completion=False)
console = Console(width=150)


@app.command(name="dlib")
def convert_dlib(out: Bundle = EMBEDDER) -> None:
    """Writes a bundle of dlib's own network."""
    convert(dlib_file(), out)


@app.command()
def blazeface(source: Annotated[Path, typer.Option(help="face_detection_back.tflite.")]) -> None:
    """Puts BlazeFace into the detector's bundle, for photos of any shape."""
    convert_detector(source, BUNDLES / "detector")


@app.command()
def check_dlib(folder: Folder, faces: int = 50) -> None:
    """Compares the conversion of dlib's network with dlib itself, on the same faces."""
    table = FaceSet.load(folder)
    rows = np.linspace(0, len(table.names) - 1, faces).astype(int)
    cosines = agreement(dlib_file(), [centre(table.crops[row]) for row in rows])
    console.print(f"{len(cosines)} faces: least cosine {cosines.min():.6f}")


@app.command()
def pairs(
    data: Data,
    folder: Folder,
    bundle: Annotated[list[Path], typer.Option(help="An embedder bundle; several times.")],
    teacher: Annotated[Path | None, typer.Option(help="The reference's ONNX file.")] = None,
) -> None:
    """Verification on LFW's pairs: accuracy and true accepts, overall and for val people.

    Each bundle looks at the kept crops, which were aligned once before: a face is resampled
    twice, where the server resamples it once.
    """
    faces = FaceSet.load(folder)
    tests = PairTests.read(data, faces)
    table = tests.table()

    def add(name: str, embed: Callable[[Image], FloatArray], dimension: int) -> None:
        vectors = np.zeros((len(faces.names), dimension), np.float32)
        began = time.process_time()
        for row in tests.used:
            vectors[row] = embed(faces.crops[row])
        each = (time.process_time() - began) * 1000 / len(tests.used)
        table.add_row(name, *tests.figures(vectors), f"{each:.1f}")

    for path in bundle:
        embedder = read_embedder(path)
        add(
            embedder.version,
            lambda crop, of=embedder: of.embed_aligned(  # type: ignore[misc]
                [of.align(crop, LANDMARKS)]
            )[0],
            embedder.dimension,
        )
    if teacher is not None:
        reference = Reference(teacher)
        add("reference", lambda crop: reference.embed(reference.align_crop(crop)[None])[0], 256)
    console.print(table)


@app.command()
def two_in_one(
    data: Data,
    folder: Folder,
    captioner: Annotated[Path, typer.Option(help="best.pt of the face captioner's run.")],
) -> None:
    """The same figures for a linear head on the face captioner's encoder."""
    faces = FaceSet.load(folder)
    model, _, preprocessing, *_ = load_model(captioner)
    features = encode_portraits(data, faces, model.encoder, preprocessing)
    learn = training_rows(faces)
    learn = learn[features[learn].any(1)]
    vectors = linear_head(features, read_targets(folder), learn)
    tests = PairTests.read(data, faces)
    table = tests.table()
    table.add_row("face captioner's encoder", *tests.figures(vectors), "")
    console.print(table)


@app.command()
def detection(data: Data, scenes: int = 20) -> None:
    """Recall and false positives of the detector on composed scenes."""
    console.print(detection_table(data, read_detector(), scenes))
