"""Every face of the data sets as the server would embed it, kept between runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import track

from model_server.analysis import FloatArray
from model_server.bundle import BUNDLES, Bundle, load_bundle
from model_server.engines.openvino import OpenVinoEngine
from model_server.faces.detector import FaceDetector
from model_server.faces.embedder import FaceEmbedder
from model_server.faces.quality import face_quality
from model_server.gallery.celebrity import slug
from training.embedder.crops import Face, find_subject, read_people

__all__ = [
    "FaceModels",
    "FaceTable",
    "KeptRows",
    "embed_all",
    "fingerprint",
    "read_faces",
]

_SAVED_EVERY = 2000
_PHOTOS = 12_737
_NETWORKS = {".bin", ".tflite", ".xml"}
_SOME_QUALITY = 1e-3
"""Zero is kept for photos without a face."""

Strings = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class FaceTable:
    """The faces that were found.

    Attributes:
        names: Of the photos, such as "lfw/Ann_Lee/Ann_Lee_0001.webp", shape (N,).
        people: Id of the person in the gallery, shape (N,).
        splits: "train" or "val" in LFW; "gallery" or "probe" among the celebrities.
        vectors: Unit rows, shape (N, D).
        quality: 0..1, shape (N,).
        missed: Photos in which no face was found.
    """

    names: Strings
    people: Strings
    splits: Strings
    vectors: FloatArray
    quality: FloatArray
    missed: int

    def rows(self, data_set: str, *splits: str) -> npt.NDArray[np.intp]:
        """Rows of a data set, of some of its splits or of all."""
        inside = np.char.startswith(self.names, f"{data_set}/")
        if splits:
            inside &= np.isin(self.splits, splits)
        return np.flatnonzero(inside)


@dataclass(frozen=True, slots=True)
class FaceModels:
    """Detector and embedder of the server.

    Attributes:
        fingerprints: Of their bundles, see :func:`fingerprint`.
    """

    detector: FaceDetector
    embedder: FaceEmbedder
    fingerprints: tuple[str, str]

    @classmethod
    def load(cls, bundles: Path = BUNDLES) -> FaceModels:
        """Loads the bundles that the server would."""
        engine = OpenVinoEngine()
        detector = load_bundle(bundles / "detector", kind=FaceDetector.KIND)
        embedder = load_bundle(bundles / "embedder", kind=FaceEmbedder.KIND)
        return cls(
            FaceDetector(detector, engine),
            FaceEmbedder(embedder, engine),
            (fingerprint(detector), fingerprint(embedder)),
        )


def fingerprint(bundle: Bundle) -> str:
    """A bundle's version and eight digits that change with its networks or their settings.

    Training may make another network under a version that is taken.
    """
    networks = {
        name: digest
        for name, digest in bundle.manifest["files"].items()
        if Path(name).suffix in _NETWORKS
    }
    settings = {key: value for key, value in bundle.manifest.items() if key != "metrics"}
    text = json.dumps(settings | {"files": networks}, sort_keys=True)
    return f"{bundle.version}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def read_faces(data: Path) -> Iterator[Face]:
    """All photos of LFW and of the celebrities."""
    for name in ("lfw", "celebrities"):
        yield from read_people(data, name)


def embed_all(data: Path, work: Path, models: FaceModels) -> FaceTable:
    """Embeds every photo of the data sets; goes on where an earlier run was stopped.

    What the detector found is kept apart from the embeddings, so that another embedder
    does not detect anew.

    Args:
        data: Folder with "lfw" and "celebrities".
        work: Folder for what is kept.
        models: As served.
    """
    work.mkdir(parents=True, exist_ok=True)
    detector, embedder = models.fingerprints
    found = KeptRows(work / f"{detector}.npz")
    vectors = KeptRows(work / f"{detector}-{embedder}.npz")
    names, people, splits = [], [], []
    for face in track(read_faces(data), "embedding", total=_PHOTOS):
        names.append(face.name)
        people.append(slug(face.person.replace("_", " ")))
        splits.append(face.split)
        if face.name not in found.rows:
            found.add(face.name, _describe(models.detector, face))
        row = found.rows[face.name]
        if face.name not in vectors.rows:
            landmarks = row[:10].reshape(5, 2)
            aligned = models.embedder.align(face.photo, landmarks) if row[10] else None
            vector = models.embedder.embed_aligned([aligned] if aligned is not None else [])
            vectors.add(face.name, vector.sum(0))
    found.save()
    vectors.save()
    quality = np.array([found.rows[name][10] for name in names], np.float32)
    seen = quality > 0
    return FaceTable(
        np.array(names)[seen],
        np.array(people)[seen],
        np.array(splits)[seen],
        np.stack([vectors.rows[name] for name in names])[seen],
        quality[seen],
        int((~seen).sum()),
    )


def _describe(detector: FaceDetector, face: Face) -> FloatArray:
    """Landmarks and quality, shape (11,); all zero where there is no face."""
    row = np.zeros(11, np.float32)
    if subject := find_subject(detector, face.photo):
        row[:10] = subject.landmarks.ravel()
        row[10] = max(face_quality(face.photo, subject), _SOME_QUALITY)
    return row


class KeptRows:
    """Rows by name, in a file.

    Args:
        path: Of the file; need not exist.

    Attributes:
        rows: By name.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fresh = 0
        self.rows: dict[str, FloatArray] = {}
        if path.exists():
            with np.load(path) as arrays:
                self.rows = dict(zip(arrays["names"].tolist(), arrays["rows"], strict=True))

    def add(self, name: str, row: FloatArray) -> None:
        """Adds a row; saves now and then."""
        self.rows[name] = row
        self._fresh += 1
        if self._fresh % _SAVED_EVERY == 0:
            self.save()

    def save(self) -> None:
        """Saves where there is something new; a killed run leaves no half a file."""
        if self._fresh:
            temporary = self._path.with_suffix(".new.npz")
            names = np.array(list(self.rows))
            np.savez(temporary, names=names, rows=np.stack(list(self.rows.values())))
            temporary.replace(self._path)
            self._fresh = 0
