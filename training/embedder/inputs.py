"""What the commands of the embedder read: options, bundles and what the teacher said."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from model_server.analysis import FloatArray
from model_server.bundle import BUNDLES, load_bundle
from model_server.engines.openvino import OpenVinoEngine
from model_server.faces.detector import FaceDetector
from model_server.faces.embedder import FaceEmbedder

__all__ = [
    "EMBEDDER",
    "Bundle",
    "Data",
    "Folder",
    "Teacher",
    "read_detector",
    "read_embedder",
    "read_targets",
    "unit",
]

Data = Annotated[Path, typer.Option(help="Folder with the data sets lfw and celebrities.")]
Folder = Annotated[Path, typer.Option(help="Where the aligned faces and the runs live.")]
Teacher = Annotated[Path, typer.Option(help="face-reidentification-retail-0095.onnx")]
Bundle = Annotated[Path, typer.Option(help="An embedder bundle.")]

EMBEDDER = BUNDLES / "embedder"


def read_detector() -> FaceDetector:
    """As served, on one core."""
    return FaceDetector(
        load_bundle(BUNDLES / "detector", kind=FaceDetector.KIND), OpenVinoEngine(1, 1)
    )


def read_embedder(folder: Path) -> FaceEmbedder:
    """As served, on one core."""
    return FaceEmbedder(load_bundle(folder, kind=FaceEmbedder.KIND), OpenVinoEngine(1, 1))


def read_targets(folder: Path) -> FloatArray:
    """The teacher's vector of each face, mean of both mirror images; unit rows."""
    with np.load(folder / "teacher.npz") as table:
        return unit(table["plain"] + table["flip"])


def unit(rows: FloatArray) -> FloatArray:
    """Rows of length 1; shape (N, D)."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), np.float32)
