"""From raw data to what is learnt: faces found, measured, labelled and split by person."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_server.bundle import BUNDLES, load_bundle
from model_server.engines.openvino import OpenVinoEngine
from model_server.faces.detector import FaceDetector
from model_server.faces.mesh import FaceMesh
from training.faces.geometry import average_by_person, frontalise, measure, residuals
from training.faces.labels import Labels, combine_scores, label
from training.faces.lfw import FaceSet, read_lfw
from training.faces.portraits import Portraits, find_faces

__all__ = ["Study", "prepare_study", "split_people"]

MAX_YAW_DEG = MAX_PITCH_DEG = 20.0
"""Faces that are turned further are not measured."""


@dataclass(frozen=True, slots=True)
class Study:
    """Labelled portraits, people apart.

    Attributes:
        faces: The data set.
        portraits: Of the photos in which the server's detector found the face.
        labels: Of all photos, in the order of ``faces.names``.
        learn: Photos to learn from.
        tune: Photos of other training people, to choose epochs and thresholds by.
        val: Photos of the validation split, to report on.
    """

    faces: FaceSet
    portraits: Portraits
    labels: Labels
    learn: tuple[str, ...]
    tune: tuple[str, ...]
    val: tuple[str, ...]

    def rows(self, names: Sequence[str]) -> dict[str, npt.NDArray[np.int8]]:
        """Photo → its row of the label table."""
        index = {name: row for row, name in enumerate(self.faces.names)}
        return {name: self.labels.table[index[name]] for name in names}


def split_people(people: Sequence[str], share: float, seed: int = 0) -> frozenset[str]:
    """About ``share`` of the people, chosen at random."""
    everyone = sorted(set(people))
    random.Random(seed).shuffle(everyone)  # noqa: S311 (no secret depends on it)
    return frozenset(everyone[: round(share * len(everyone))])


def prepare_study(
    data: Path,
    folder: Path,
    *,
    threads: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Study:
    """Reads the data set, finds the faces and labels them.

    Args:
        data: Folder with images.tar, images.csv and attributes.csv.gz.
        folder: Where the faces found are kept for the next time.
        threads: For the detector.
        progress: Called with the number of photos done.
    """
    faces = read_lfw(data)
    bundle = load_bundle(BUNDLES / "detector", kind=FaceDetector.KIND)
    engine = OpenVinoEngine(threads=threads)
    mesh = FaceMesh(engine.load(bundle.file("mesh.tflite")))
    found = find_faces(
        faces.photos,
        faces.names,
        detector=FaceDetector(bundle, engine),
        mesh=mesh,
        file=folder / f"{bundle.version}.npz",
        progress=progress,
    )
    labels = _label(faces, dict(zip(found.names, found.points, strict=True)))
    scored = np.isfinite(faces.scores["Smiling"])
    there = set(found.names)
    # Photos without scores have no labels: nothing can be learnt from them.
    usable = [
        (name, person, bool(training), bool(has_scores))
        for name, person, training, has_scores in zip(
            faces.names, faces.people, faces.training, scored, strict=True
        )
        if name in there
    ]
    apart = split_people([person for _, person, training, _ in usable if training], 0.1)
    return Study(
        faces,
        Portraits(faces.photos, found.by_name()),
        labels,
        learn=tuple(n for n, p, training, ok in usable if training and ok and p not in apart),
        tune=tuple(n for n, p, training, ok in usable if training and ok and p in apart),
        val=tuple(n for n, _, training, _ in usable if not training),
    )


def _label(faces: FaceSet, points: Mapping[str, npt.NDArray[np.float32]]) -> Labels:
    rows = np.array([row for row, name in enumerate(faces.names) if name in points])
    smiling = faces.scores["Smiling"][rows]
    frontal = frontalise(np.stack([points[faces.names[row]] for row in rows]), faces.training[rows])
    straight = (
        (np.abs(frontal.yaw) < MAX_YAW_DEG)
        & (np.abs(frontal.pitch) < MAX_PITCH_DEG)
        & np.isfinite(smiling)
    )
    measured = residuals(
        measure(frontal.points),
        frontal,
        np.nan_to_num(smiling, nan=0.5),
        straight & faces.training[rows],
    )
    geometry = {}
    for name, values in measured.items():
        full = np.full(len(faces.names), np.nan)
        full[rows] = values
        usable = np.zeros(len(faces.names), np.bool_)
        usable[rows] = straight
        geometry[name] = average_by_person(full, faces.people, usable)
    return label(combine_scores(faces.scores, geometry, faces.training), faces.training)
