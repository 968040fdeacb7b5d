"""Who is it, among everyone that is known?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from rich.table import Table

from model_server.analysis import FloatArray
from training.embedder.crops import FaceSet

__all__ = ["best_per_person", "identification", "ranks"]

IntArray = npt.NDArray[np.int64]


def best_per_person(scores: FloatArray, owners: IntArray) -> tuple[FloatArray, IntArray]:
    """The best face of each person.

    Args:
        scores: Of each probe with each face, shape (P, F).
        owners: Person of each face, shape (F,).

    Returns:
        Scores, shape (P, people), and the person of each column.
    """
    order = np.argsort(owners, kind="stable")
    people, starts = np.unique(owners[order], return_index=True)
    return np.maximum.reduceat(scores[:, order], starts, axis=1), people


def ranks(scores: FloatArray, owners: IntArray, wanted: IntArray) -> IntArray:
    """Place of the right person in each probe's list, from 1."""
    best, people = best_per_person(scores, owners)
    column = np.searchsorted(people, wanted)
    right = best[np.arange(len(wanted)), column]
    places: IntArray = (best > right[:, None]).sum(1) + 1
    return places


def identification(faces: FaceSet, vectors: FloatArray) -> Table:
    """Ranks, and errors on people who are not enrolled.

    Args:
        faces: Of both data sets.
        vectors: Unit rows, one a face, zeros where none was found.
    """
    found = faces.found
    lfw = np.array([name.startswith("lfw/") for name in faces.names])
    split = np.array(faces.splits)
    _, person = np.unique(np.array(faces.people), return_inverse=True)
    table = Table(title="Identification")
    for column in ("task", "probes", "rank 1 %", "rank 5 %"):
        table.add_column(column)

    def row(name: str, enrolled: IntArray, probes: IntArray) -> None:
        places = ranks(vectors[probes] @ vectors[enrolled].T, person[enrolled], person[probes])
        shares = (f"{(places <= rank).mean() * 100:.2f}" for rank in (1, 5))
        table.add_row(name, str(len(probes)), *shares)

    known = {*np.unique(person[~lfw])}
    gallery = np.flatnonzero(found & ~lfw & (split == "gallery"))
    probe = np.flatnonzero(found & ~lfw & (split == "probe"))
    others = np.flatnonzero(found & lfw & ~np.isin(person, list(known)))
    row("celebrities, all LFW people as distractors", np.concatenate([gallery, others]), probe)
    for name, chosen in (
        ("LFW, two or more photos", lfw),
        ("of these, val", lfw & (split == "val")),
    ):
        rows = np.flatnonzero(found & lfw)
        first = np.sort(np.unique(person[rows], return_index=True)[1])
        enrolled = rows[first]
        probes = np.setdiff1d(np.flatnonzero(found & chosen), enrolled)
        row(name, enrolled, probes)
    _add_open_set(table, vectors, person, np.flatnonzero(found & lfw & (split == "val")))
    return table


def _add_open_set(table: Table, vectors: FloatArray, person: IntArray, rows: IntArray) -> None:
    """Half of the val people are enrolled with one photo, the other half are strangers."""
    enrolled_people = np.unique(person[rows])[::2]
    first = rows[np.sort(np.unique(person[rows], return_index=True)[1])]
    enrolled = first[np.isin(person[first], enrolled_people)]
    mates = np.setdiff1d(rows[np.isin(person[rows], enrolled_people)], enrolled)
    strangers = rows[~np.isin(person[rows], enrolled_people)]
    highest = (vectors[strangers] @ vectors[enrolled].T).max(1)
    scores = vectors[mates] @ vectors[enrolled].T
    best = enrolled[scores.argmax(1)]
    for rate in (0.3, 0.1, 0.01):
        threshold = np.quantile(highest, 1 - rate)
        right = (person[best] == person[mates]) & (scores.max(1) > threshold)
        table.add_row(
            f"open set, val: FPIR {rate * 100:g} %, cosine > {threshold:.3f}",
            f"{len(mates)} + {len(strangers)}",
            f"FNIR {(1 - right.mean()) * 100:.2f}",
            "",
        )
