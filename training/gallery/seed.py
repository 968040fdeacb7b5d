"""Writes the seed gallery: names, tags and embeddings, no pictures."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_server.analysis import FloatArray
from model_server.bundle import sha256_of, write_manifest
from model_server.faces.together import weighted_mean
from model_server.gallery.calibration import Calibration
from model_server.gallery.celebrity import slug
from model_server.gallery.hubness import Hubness
from training.few import few_of_each
from training.gallery.features import FaceTable

__all__ = ["Enrolled", "enrol", "general_hubness", "write_seed"]

HUB_NEIGHBOURS = 50
HUB_WEIGHT = 0.63
"""Both chosen on the val people: more weight takes rank-1 identification down, less leaves hubs."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """People and their embeddings.

    Attributes:
        ids: Sorted, one a person.
        vectors: Unit rows, one a person, shape (P, D).
    """

    ids: list[str]
    vectors: FloatArray


def enrol(table: FaceTable, rows: npt.NDArray[np.intp]) -> Enrolled:
    """The people of some rows, by the mean of their photos: nobody is a hub for having many."""
    ids = np.unique(table.people[rows]).tolist()
    of_each = (rows[table.people[rows] == person] for person in ids)
    means = [weighted_mean(table.vectors[own], table.quality[own].tolist()) for own in of_each]
    return Enrolled(ids, np.stack(means))


def reference_rows(table: FaceTable, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """The best photo of each person among some rows."""
    best = {table.people[row]: row for row in rows[np.argsort(table.quality[rows])]}
    return np.array([best[person] for person in sorted(best)])


def general_hubness(table: FaceTable) -> Hubness:
    """The correction, from training people: only its two settings were chosen on val people."""
    rows = reference_rows(table, table.rows("lfw", "train"))
    return Hubness.fit(table.vectors[rows], HUB_NEIGHBOURS, HUB_WEIGHT)


def genuine_scores(
    table: FaceTable, rows: npt.NDArray[np.intp], hubness: Hubness
) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """What people score with one photo against the mean of their others.

    Returns:
        The rows of these photos and their scores, shape (n,) each.
    """
    probes: list[int] = []
    scores: list[float] = []
    for person in np.unique(table.people[rows]):
        own = rows[table.people[rows] == person]
        if len(own) < 2:
            continue
        for probe in own[few_of_each(table.people[own])].tolist():
            probes.append(probe)
            scores.append(own_score(table, table.vectors[probe], own[own != probe], hubness))
    return np.array(probes, np.intp), np.array(scores, np.float32)


def own_score(
    table: FaceTable, probe: FloatArray, rows: npt.NDArray[np.intp], hubness: Hubness
) -> float:
    """What an embedding, shape (D,), scores where these photos of its person are enrolled."""
    kept = weighted_mean(table.vectors[rows], table.quality[rows].tolist())
    return float(kept @ probe) - float(hubness.bias(kept[None])[0])


def pair_cosines(
    table: FaceTable, rows: npt.NDArray[np.intp], seed: int = 0
) -> tuple[FloatArray, FloatArray]:
    """Cosines of pairs of the same person, and of as many random different pairs.

    Those of a few photos of each person: pairs grow with the square of their number.
    """
    rows = rows[few_of_each(table.people[rows])]
    labels = np.unique(table.people[rows], return_inverse=True)[1]
    first, second = np.triu_indices(len(labels), 1)
    same = labels[first] == labels[second]
    rng = np.random.default_rng(seed)
    chosen = rng.choice(np.flatnonzero(~same), size=int(same.sum()), replace=False)

    def cosines(which: npt.NDArray[np.intp]) -> FloatArray:
        left, right = rows[first[which]], rows[second[which]]
        return np.asarray((table.vectors[left] * table.vectors[right]).sum(1), np.float32)

    return cosines(np.flatnonzero(same)), cosines(chosen)


def seed_rows(table: FaceTable) -> npt.NDArray[np.intp]:
    """What is enrolled: all of LFW, and of the celebrities what is not kept for probing."""
    return np.concatenate([table.rows("lfw"), table.rows("celebrities", "gallery")])


def write_seed(
    data: Path, destination: Path, table: FaceTable, about: Mapping[str, object]
) -> None:
    """Writes the bundle, but for its model card.

    Args:
        data: Folder of "celebrities", for names and tags.
        destination: Folder of the bundle.
        table: All faces.
        about: What else the manifest says.
    """
    enrolled = enrol(table, seed_rows(table))
    val = table.rows("lfw", "val")
    reference = reference_rows(table, val)
    hubness = general_hubness(table)
    pairs = Calibration.fit(*pair_cosines(table, val))
    probes, genuine = genuine_scores(table, val, hubness)

    destination.mkdir(parents=True, exist_ok=True)
    people = _people(data, table, enrolled.ids)
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in people)
    (destination / "people.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    np.savez_compressed(
        destination / "faces.npz",
        embeddings=enrolled.vectors.astype(np.float16),
        counts=np.ones(len(enrolled.ids), np.int32),
    )
    np.savez_compressed(
        destination / "reference.npz",
        embeddings=table.vectors[reference].astype(np.float16),
        ids=table.people[reference],
        general=hubness.reference.astype(np.float16),
        genuine=genuine,
        probes=table.vectors[probes].astype(np.float16),
        probe_ids=table.people[probes],
    )
    write_manifest(
        destination,
        {
            "name": "gallery",
            # Galleries plant a seed that they do not know by its version.
            "version": sha256_of(destination / "faces.npz")[:8],
            "kind": "gallery",
            "license": "names and embeddings of our own making; the photos are not included",
            **about,
            "calibration": {"slope": pairs.slope, "intercept": pairs.intercept},
            "hubness": hubness.to_manifest(),
        },
    )


def _people(data: Path, table: FaceTable, ids: list[str]) -> list[dict[str, object]]:
    names = {
        person: name.split("/")[1].replace("_", " ")
        for person, name in zip(table.people.tolist(), table.names.tolist(), strict=True)
    }
    with (data / "celebrities" / "people.csv").open(encoding="utf-8", newline="") as file:
        known = {slug(row["display_name"]): row for row in csv.DictReader(file)}
    people: list[dict[str, object]] = []
    for person in ids:
        entry: dict[str, object] = {"id": person, "display_name": names[person]}
        if row := known.get(person):
            tags = [*_tags("field", row["known_for"]), *_tags("country", row["country"])]
            entry |= {"display_name": row["display_name"], "tags": tags}
        people.append(entry)
    return people


def _tags(key: str, values: str) -> list[str]:
    """Such as "singer and actor" as ["field:singer", "field:actor"]."""
    parts = values.lower().replace(" and ", ",").replace(";", ",").split(",")
    return [f"{key}:{part.strip().replace(' ', '-')}" for part in parts if part.strip()]
