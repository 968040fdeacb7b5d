"""lookalike-train embedder: the face embedder, from photos to figures."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console

from model_server.analysis import FloatArray, Image
from model_server.bundle import BUNDLES, load_bundle
from model_server.engines.openvino import OpenVinoEngine
from model_server.faces.detector import FaceDetector
from model_server.faces.embedder import FaceEmbedder
from training.checkpoint import load_model
from training.embedder.augment import blends, centre
from training.embedder.convert_detector import convert_detector
from training.embedder.convert_dlib import agreement, convert, dlib_file
from training.embedder.crops import LANDMARKS, FaceSet, write_crops
from training.embedder.distil import (
    BLEND,
    DistilOptions,
    distil,
    principal_axes,
    rotation,
    training_rows,
    turned,
)
from training.embedder.dlib_network import load_dlib_network
from training.embedder.export import export_embedder
from training.embedder.identification import identification
from training.embedder.mixtures import load_mixtures, write_mixtures
from training.embedder.network import FaceNetwork
from training.embedder.scenes import detection_table
from training.embedder.teacher import Reference, write_targets
from training.embedder.trained import mixed, read_shipped, read_student
from training.embedder.two_in_one import encode_portraits, linear_head
from training.embedder.verification import PairTests

__all__ = ["app"]

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)
console = Console(width=150)

Data = Annotated[Path, typer.Option(help="Folder with the data sets lfw and celebrities.")]
Folder = Annotated[Path, typer.Option(help="Where the aligned faces and the runs live.")]
Teacher = Annotated[Path, typer.Option(help="face-reidentification-retail-0095.onnx")]
Bundle = Annotated[Path, typer.Option(help="An embedder bundle.")]

EMBEDDER = BUNDLES / "embedder"

STEADY = DistilOptions(steps=4000, learning_rate=2e-4, solve_head=False)

FURTHER = DistilOptions(steps=1700, learning_rate=1.2e-4, solve_head=False, frozen_blocks=3)
"""What came of it is in docs/decisions/0016."""

SCALES = (0.93, 1.0)
"""As aligned and a little smaller: what landmarks and compression add to a vector differs
between them, and averages out."""

KEPT = 0.5
"""Of the weights that steadying began with: what was learnt to find people is then kept, and
what was learnt to be steady as well (Wortsman et al., "Robust fine-tuning of zero-shot
models", 2022)."""


_EVERY = 4
"""How many faces apart those are by which two spaces are laid over each other."""


@app.callback()
def _start() -> None:
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s", datefmt="%H:%M:%S")


def _detector() -> FaceDetector:
    return FaceDetector(
        load_bundle(BUNDLES / "detector", kind=FaceDetector.KIND), OpenVinoEngine(1, 1)
    )


def _embedder(folder: Path) -> FaceEmbedder:
    return FaceEmbedder(load_bundle(folder, kind=FaceEmbedder.KIND), OpenVinoEngine(1, 1))


@app.command()
def crops(data: Data, out: Folder) -> None:
    """Finds and aligns every face of the data sets, once for all later steps."""
    write_crops(data, out, _detector())


@app.command()
def targets(folder: Folder, teacher: Teacher) -> None:
    """Asks the teacher about every face."""
    write_targets(FaceSet.load(folder), Reference(teacher), folder / "teacher.npz")


@app.command()
def train(
    folder: Folder,
    run: Annotated[Path, typer.Option(help="Folder of the run; an interrupted one goes on.")],
    *,
    steps: int = DistilOptions().steps,
    dimension: Annotated[int, typer.Option(help="Numbers in an embedding.")] = 128,
    threads: int = 2,
) -> None:
    """Distils the teacher into dlib's network; needs crops and targets."""
    torch.set_num_threads(threads)
    faces = FaceSet.load(folder)
    rows = training_rows(faces)
    wanted = _targets(folder)[rows]
    distil(
        FaceNetwork(load_dlib_network(dlib_file()), dimension),
        faces.crops[rows],
        np.array(faces.people)[rows],
        _unit(wanted @ principal_axes(wanted, dimension)),
        run=run,
        options=DistilOptions(steps=steps),
    )


@app.command()
def steady(
    folder: Folder,
    run: Annotated[Path, typer.Option(help="Folder of the run; an interrupted one goes on.")],
    *,
    bundle: Bundle = EMBEDDER,
    steps: int = STEADY.steps,
    threads: int = 2,
) -> None:
    """Trains a bundle's network to say at one look, and of a worn photo, what the bundle says.

    Needs crops and targets. The bundle looks several times and averages; it is asked about
    the faces as they are and about blends of two, and the teacher about the faces.
    """
    torch.set_num_threads(threads)
    faces = FaceSet.load(folder)
    rows = training_rows(faces)
    crops = np.asarray(faces.crops[rows])
    crops = np.concatenate([crops, blends(crops, np.random.default_rng(0))])
    wanted = _kept(run / "targets.npy", lambda: _embed(_embedder(bundle), crops))
    wanted[: len(rows)] += turned(_targets(folder)[rows], wanted[: len(rows)])
    people = [*np.array(faces.people)[rows].tolist(), *[BLEND] * len(rows)]
    distil(
        read_shipped(bundle / "network.xml"),
        crops,
        np.array(people),
        _unit(wanted),
        run=run,
        options=replace(STEADY, steps=steps),
    )


@app.command()
def mixtures(folder: Folder, teacher: Teacher, count: int = 25_000, threads: int = 2) -> None:
    """Mixes faces to learn from, and asks the teacher about the mixtures; needs crops."""
    faces = FaceSet.load(folder)
    write_mixtures(faces, training_rows(faces), Reference(teacher, threads), folder, count)


@app.command()
def further(
    folder: Folder,
    run: Annotated[Path, typer.Option(help="Folder of the run; an interrupted one goes on.")],
    *,
    bundle: Bundle = EMBEDDER,
    steps: int = FURTHER.steps,
    threads: int = 2,
) -> None:
    """Trains a bundle's network on what the teacher says of the faces and of their mixtures.

    Needs crops, targets and mixtures. What the teacher says is turned into the space of the
    bundle's embeddings, so that the network need not turn.
    """
    torch.set_num_threads(threads)
    faces = FaceSet.load(folder)
    rows = training_rows(faces)
    images, of_mixtures = load_mixtures(folder)
    said = _targets(folder)[rows]
    asked = slice(None, None, _EVERY)
    embedder = _embedder(bundle)
    towards = _kept(run / "towards.npy", lambda: _embed(embedder, faces.crops[rows[asked]]))
    turn = rotation(said[asked], towards)
    distil(
        read_shipped(bundle / "network.xml"),
        np.concatenate([faces.crops[rows], images]),
        np.array([*np.array(faces.people)[rows].tolist(), *[BLEND] * len(images)]),
        _unit(np.concatenate([said, of_mixtures]) @ turn),
        run=run,
        options=replace(FURTHER, steps=steps),
    )


def _kept(file: Path, make: Callable[[], FloatArray]) -> FloatArray:
    """What the file holds, made first where there is none."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, make())
    return np.asarray(np.load(file), np.float32)


def _embed(embedder: FaceEmbedder, crops: Image) -> FloatArray:
    aligned = (embedder.align(crop, LANDMARKS) for crop in crops)
    return np.concatenate([embedder.embed_aligned([views]) for views in aligned])


def _targets(folder: Path) -> FloatArray:
    """The teacher's vector of each face, mean of both mirror images."""
    with np.load(folder / "teacher.npz") as table:
        return _unit(table["plain"] + table["flip"])


def _unit(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), np.float32)


@app.command()
def export(
    run: Annotated[Path, typer.Option(help="Folder of the run.")],
    version: str,
    out: Bundle = EMBEDDER,
    *,
    flip: Annotated[bool, typer.Option(help="Average the face and its mirror image.")] = True,
    scale: Annotated[
        list[float], typer.Option(help="Look at the face at this scale; several are averaged.")
    ] = list(SCALES),  # noqa: B006 (typer copies it)
    began: Annotated[
        Path | None, typer.Option(help="The bundle that the run began with, to be mixed in.")
    ] = None,
    kept: Annotated[float, typer.Option(help="Share of its weights.")] = KEPT,
    calibrate: Annotated[
        Path | None, typer.Option(help="Folder with aligned faces, for int8; none: fp16.")
    ] = None,
) -> None:
    """Writes the bundle that the server loads."""
    calibration = None
    if calibrate is not None:
        faces = FaceSet.load(calibrate)
        rows = np.random.default_rng(0).permutation(training_rows(faces))[:300]
        calibration = np.stack([centre(faces.crops[row]) for row in rows])
    network = read_student(run)
    if began is not None:
        network = mixed(network, read_shipped(began / "network.xml"), kept)
    export_embedder(network, out, version, flip=flip, scales=scale, calibration=calibration)


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
    """Verification on LFW's pairs: accuracy and true accepts, overall and for val people."""
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
        embedder = _embedder(path)
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
    vectors = linear_head(features, _targets(folder), learn)
    tests = PairTests.read(data, faces)
    table = tests.table()
    table.add_row("face captioner's encoder", *tests.figures(vectors), "")
    console.print(table)


@app.command()
def identify(folder: Folder, bundle: Bundle = EMBEDDER) -> None:
    """Finds celebrities and LFW people among all others; and who is not enrolled."""
    faces = FaceSet.load(folder)
    embedder = _embedder(bundle)
    vectors = np.zeros((len(faces.names), embedder.dimension), np.float32)
    for row in np.flatnonzero(faces.found):
        vectors[row] = embedder.embed_aligned([embedder.align(faces.crops[row], LANDMARKS)])[0]
    console.print(identification(faces, vectors))


@app.command()
def detection(data: Data, scenes: int = 20) -> None:
    """Recall and false positives of the detector on composed scenes."""
    console.print(detection_table(data, _detector(), scenes))
