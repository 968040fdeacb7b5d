"""The bundle "embedder" from LFW and the celebrities, in one run that goes on where it was stopped.

    python -m training.recipes.embedder --version VERSION --data DATA --teacher TEACHER

DATA holds the folders lfw and celebrities, TEACHER is face-reidentification-retail-0095.onnx.
The gallery's bundle is made anew afterwards, by ``python -m training.gallery``: embeddings of two
embedders do not compare.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from model_server.bundle import BUNDLES, MANIFEST
from training.embedder import commands, measuring

__all__ = ["main"]

_DIMENSION = 128
_STEPS = 2700
_STEADY_STEPS = 4000


def main(
    *,
    version: Annotated[
        str,
        typer.Option(
            help="Of the bundle; none that is in use: embeddings of two versions do not compare."
        ),
    ],
    data: Annotated[Path, typer.Option(help="Folder of LFW and the celebrities.")],
    teacher: Annotated[Path, typer.Option(help="face-reidentification-retail-0095.onnx")],
    work: Annotated[Path, typer.Option(help="For faces and the run.")] = Path("runs/embedder"),
    out: Annotated[Path, typer.Option(help="The bundle.")] = BUNDLES / "embedder",
    threads: int = 1,
) -> None:
    """Aligns the faces, asks the teacher about them, trains twice, exports, prints the figures."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    if not (work / "faces.npz").exists():
        commands.crops(data, work)
    if not (work / "teacher.npz").exists():
        commands.targets(work, teacher)
    student, first = work / "student", work / "first"
    commands.train(work, student, steps=_STEPS, dimension=_DIMENSION, threads=threads)
    if not (first / MANIFEST).exists():
        # It teaches only: the more it looks, the surer it is.
        commands.export(student, "first", first, flip=True, scale=[0.93, 1.0, 1.07])
    steady = work / "steady"
    commands.steady(work, steady, bundle=first, steps=_STEADY_STEPS, threads=threads)
    commands.export(steady, version, out, flip=True, began=first)
    measuring.pairs(data, work, [out], teacher)


if __name__ == "__main__":
    typer.run(main)
