"""The bundle that a new gallery starts with, and the reference that scores rest on.

Kind "gallery". ``people.json`` lists names and tags; ``faces.npz`` holds the
embeddings (float16, rows of each person together); ``reference.npz`` one embedding of
each of many people, to rank likeness by, faces that have scores with another photo of
their person; and of people in general, to tell who is near to everybody.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from model_server.analysis import FloatArray
from model_server.bundle import Bundle
from model_server.errors import BundleError
from model_server.gallery.calibration import Calibration
from model_server.gallery.celebrity import Celebrity
from model_server.gallery.hubness import Hubness
from model_server.gallery.records import NewFace

__all__ = ["Seed"]


@dataclass(frozen=True, slots=True)
class Seed:
    """What the bundle holds.

    Attributes:
        version: Of the bundle.
        embedder_version: Whose embeddings these are.
        calibration: For P(same person).
        hubness: What is taken off the cosines of faces that are near to everybody.
        reference: Unit rows, shape (R, D), one face of each of R people whom no
            training has seen.
        genuine: Scores that faces of such people reach with other photos of their person,
            shape (n,).
        probes: These faces, unit rows, shape (n, D).
        reference_ids: The celebrity that each of them is, where the gallery has it:
            they count as people who are not in the gallery by leaving that one out.
        probe_ids: Likewise of the probes.
    """

    version: str
    embedder_version: str
    calibration: Calibration
    hubness: Hubness
    reference: FloatArray
    genuine: FloatArray
    probes: FloatArray
    reference_ids: tuple[str, ...]
    probe_ids: tuple[str, ...]
    _bundle: Bundle

    KIND = "gallery"

    @property
    def dimension(self) -> int:
        """D, of the embeddings."""
        return int(self.reference.shape[1])

    @classmethod
    def load(cls, bundle: Bundle) -> Seed:
        """Reads the bundle; the people only when they are asked for."""
        with np.load(bundle.file("reference.npz")) as arrays:
            reference = _unit(arrays["embeddings"])
            general = _unit(arrays["general"])
            reference_ids = tuple(arrays["ids"].tolist())
            genuine = arrays["genuine"].astype(np.float32)
            probes = _unit(arrays["probes"])
            probe_ids = tuple(arrays["probe_ids"].tolist())
        return cls(
            bundle.version,
            str(bundle.read("embedder_version")),
            Calibration.from_manifest(bundle.read("calibration")),
            Hubness.from_manifest(bundle.read("hubness"), general),
            reference,
            genuine,
            probes,
            reference_ids,
            probe_ids,
            bundle,
        )

    def people(self) -> Iterator[tuple[Celebrity, list[NewFace]]]:
        """Everyone with their faces.

        Raises:
            BundleError: Names and faces do not fit together.
        """
        people = json.loads(self._bundle.file("people.json").read_text(encoding="utf-8"))
        with np.load(self._bundle.file("faces.npz")) as arrays:
            vectors, counts = _unit(arrays["embeddings"]), arrays["counts"]
        if len(counts) != len(people) or counts.sum() != len(vectors):
            raise BundleError(f"{self._bundle.name}: people.json and faces.npz do not fit")
        start = 0
        for person, count in zip(people, counts.tolist(), strict=True):
            celebrity = Celebrity(
                person["id"],
                person["display_name"],
                tuple(person.get("aliases", ())),
                tuple(person.get("tags", ())),
            )
            yield celebrity, [NewFace(vector) for vector in vectors[start : start + count]]
            start += count


def _unit(vectors: FloatArray) -> FloatArray:
    vectors = vectors.astype(np.float32)
    lengths: FloatArray = np.linalg.norm(vectors, axis=1, keepdims=True).astype(np.float32)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)
