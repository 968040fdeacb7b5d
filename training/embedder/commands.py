"""lookalike-train embedder: how the face embedder is made, step by step."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from model_server.analysis import FloatArray, Image
from model_server.bundle import MANIFEST
from model_server.faces.embedder import FaceEmbedder
from training.embedder.augment import blends, centre
from training.embedder.convert_dlib import dlib_file
from training.embedder.crops import LANDMARKS, FaceSet, write_crops
from training.embedder.distil import (
    BLEND,
    DistilOptions,
    distil,
    training_rows,
)
from training.embedder.dlib_network import load_dlib_network
from training.embedder.export import export_embedder
from training.embedder.inputs import (
    EMBEDDER,
    Bundle,
    Data,
    Folder,
    Teacher,
    read_detector,
    read_embedder,
    read_targets,
    unit,
)
from training.embedder.measuring import app as measuring
from training.embedder.mixtures import load_mixtures, write_mixtures
from training.embedder.network import FaceNetwork
from training.embedder.spaces import principal_axes, rotation, turned
from training.embedder.teacher import Reference, write_targets
from training.embedder.trained import mixed, read_shipped, read_student

__all__ = ["app"]

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)
app.add_typer(measuring)
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


@app.command()
def crops(data: Data, out: Folder) -> None:
    """Finds and aligns every face of the data sets, once for all later steps."""
    write_crops(data, out, read_detector())


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
    wanted = read_targets(folder)[rows]
    distil(
        FaceNetwork(load_dlib_network(dlib_file()), dimension),
        faces.crops[rows],
        np.array(faces.people)[rows],
        unit(wanted @ principal_axes(wanted, dimension)),
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
    wanted = _kept(run, folder, bundle, lambda: _embed(read_embedder(bundle), crops))
    wanted[: len(rows)] += turned(read_targets(folder)[rows], wanted[: len(rows)])
    people = [*np.array(faces.people)[rows].tolist(), *[BLEND] * len(rows)]
    distil(
        read_shipped(bundle / "network.xml"),
        crops,
        np.array(people),
        unit(wanted),
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
    said = read_targets(folder)[rows]
    asked = slice(None, None, _EVERY)
    embedder = read_embedder(bundle)
    towards = _kept(run, folder, bundle, lambda: _embed(embedder, faces.crops[rows[asked]]))
    turn = rotation(said[asked], towards)
    distil(
        read_shipped(bundle / "network.xml"),
        np.concatenate([faces.crops[rows], images]),
        np.array([*np.array(faces.people)[rows].tolist(), *[BLEND] * len(images)]),
        unit(np.concatenate([said, of_mixtures]) @ turn),
        run=run,
        options=replace(FURTHER, steps=steps),
    )


def _kept(run: Path, folder: Path, bundle: Path, make: Callable[[], FloatArray]) -> FloatArray:
    """What a run's folder holds of what this bundle says of these faces, made first if it must.

    Of another bundle or other faces it holds a file of its own.
    """
    digest = hashlib.sha256()
    for file in (bundle / MANIFEST, folder / "faces.npz"):
        digest.update(file.read_bytes())
    file = run / f"said-{digest.hexdigest()[:12]}.npy"
    if not file.exists():
        run.mkdir(parents=True, exist_ok=True)
        np.save(file, make())
    return np.asarray(np.load(file), np.float32)


def _embed(embedder: FaceEmbedder, crops: Image) -> FloatArray:
    aligned = (embedder.align(crop, LANDMARKS) for crop in crops)
    return np.concatenate([embedder.embed_aligned([views]) for views in aligned])


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
