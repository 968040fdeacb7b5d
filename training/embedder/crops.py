"""Faces of the data sets, found by our detector, aligned and kept for all later steps."""

from __future__ import annotations

import csv
import logging
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_server.analysis import Detection, FloatArray, Image
from model_server.faces.alignment import align_face
from model_server.faces.detector import FaceDetector
from model_server.imaging import decode

__all__ = [
    "LANDMARKS",
    "MARGIN",
    "SIDE",
    "TEMPLATE",
    "FaceSet",
    "find_subject",
    "read_people",
    "write_crops",
]

log = logging.getLogger(__name__)

TEMPLATE = np.array(
    [
        (0.3224, 0.3085),
        (0.6776, 0.3085),
        (0.5, 0.509),
        (0.3555, 0.6577),
        (0.6445, 0.6577),
    ],
    np.float32,
)
"""Where our detector's five landmarks lie in dlib's face chips (padding 0.25), 0..1: the
median over 379 photos of LFW that dlib's own landmarks had aligned, and over their mirror
images, so that a mirrored photo gives the mirrored crop."""

SIDE = 150
"""Pixels of the embedder's input."""

MARGIN = 16
"""Pixels kept around it on each side, so that training can shift and turn the face."""


LANDMARKS = np.asarray(TEMPLATE * SIDE + MARGIN, np.float32)
"""Where they lie in a crop with its margin, pixels, shape (5, 2)."""


@dataclass(frozen=True, slots=True)
class Face:
    """A photo whose subject is known.

    Attributes:
        name: Data set, person and file, such as "lfw/Ann_Lee/Ann_Lee_0001.webp".
        person: As the data set names them.
        split: "train" or "val" in LFW; "gallery" or "probe" among the celebrities.
        photo: RGB uint8.
    """

    name: str
    person: str
    split: str
    photo: Image


@dataclass(frozen=True, slots=True)
class FaceSet:
    """Faces that :func:`write_crops` kept.

    Attributes:
        names: As in :class:`Face`.
        people: Person of each.
        splits: Split of each.
        landmarks: Shape (N, 5, 2), pixels of the photo; NaN where no face was found.
        crops: Shape (N, 182, 182, 3), the aligned face with its margin.
    """

    names: list[str]
    people: list[str]
    splits: list[str]
    landmarks: FloatArray
    crops: Image

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """Whether a face was found, shape (N,)."""
        missing: npt.NDArray[np.bool_] = np.isnan(self.landmarks[:, 0, 0])
        return ~missing

    @classmethod
    def load(cls, folder: Path) -> FaceSet:
        """Reads the folder; the crops stay on disk until they are used."""
        with np.load(folder / "faces.npz") as table:
            return cls(
                table["names"].tolist(),
                table["people"].tolist(),
                table["splits"].tolist(),
                table["landmarks"],
                np.load(folder / "crops.npy", mmap_mode="r"),
            )


def read_people(data: Path, name: str) -> Iterator[Face]:
    """Photos of "lfw" or "celebrities", decoded as served, in the order of their tar."""
    with (data / name / "images.csv").open(encoding="utf-8", newline="") as table:
        rows = {row["path_in_tar"]: row for row in csv.DictReader(table)}
    with tarfile.open(data / name / "images.tar") as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None and member.name in rows:
                row = rows[member.name]
                photo = decode(stream.read()).pixels
                yield Face(f"{name}/{member.name}", row["person"], row["split"], photo)


def find_subject(detector: FaceDetector, photo: Image) -> Detection | None:
    """The face that the photo is about: large and near the centre."""
    centre = np.array(photo.shape[1::-1], np.float32) / 2

    def off_centre(face: Detection) -> float:
        return float(np.hypot(*(face.landmarks.mean(0) - centre))) - 0.5 * face.box.width

    return min(detector.detect(photo), key=off_centre, default=None)


def write_crops(data: Path, folder: Path, detector: FaceDetector) -> None:
    """Finds and aligns every face of LFW and of the celebrities.

    Args:
        data: Folder with "lfw" and "celebrities".
        folder: Where to write faces.npz and crops.npy.
        detector: As served.
    """
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(_count(data / name / "images.csv") for name in ("lfw", "celebrities"))
    side = SIDE + 2 * MARGIN
    crops = np.lib.format.open_memmap(folder / "crops.npy", "w+", np.uint8, (total, side, side, 3))
    template = np.asarray(LANDMARKS / side, np.float32)
    rows: list[tuple[str, str, str, FloatArray]] = []
    for name in ("lfw", "celebrities"):
        for face in read_people(data, name):
            found = find_subject(detector, face.photo)
            landmarks = np.full((5, 2), np.nan, np.float32)
            if found is not None:
                landmarks = found.landmarks
                crops[len(rows)] = align_face(face.photo, landmarks, template, (side, side))
            rows.append((face.name, face.person, face.split, landmarks))
            if len(rows) % 1000 == 0:
                log.info("%d of %d", len(rows), total)
    crops.flush()
    names, people, splits, landmarks_of = zip(*rows, strict=True)
    np.savez(
        folder / "faces.npz",
        names=np.array(names),
        people=np.array(people),
        splits=np.array(splits),
        landmarks=np.stack(landmarks_of),
    )


def _count(table: Path) -> int:
    with table.open(encoding="utf-8") as lines:
        return sum(1 for _ in lines) - 1
