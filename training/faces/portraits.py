"""Portraits: faces found and aligned exactly as the server does it, ready to be learnt from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from model_server.analysis import BoundingBox, Detection, FloatArray, Image
from model_server.faces.alignment import PORTRAIT_SIDE, align_portrait
from training.faces.lfw import EYES
from training.photos import Photos, decode_photo, picture_digest

__all__ = ["FoundFaces", "Portraits", "find_faces", "jitter"]


class Detector(Protocol):
    """What is needed of model_server.faces.detector.FaceDetector."""

    def detect(self, image: Image, reduced: Image) -> list[Detection]:
        """The faces of an image, which may be found in a reduced one."""
        ...


class Mesh(Protocol):
    """What is needed of model_server.faces.mesh.FaceMesh."""

    def measure(
        self, image: Image, box_xyxy: FloatArray, eyes: FloatArray
    ) -> tuple[FloatArray, float]:
        """Points, shape (468, 3), and how sure it is that there is a face."""
        ...


class Portraits:
    """Aligned portraits of the photos in which a face was found.

    Args:
        photos: The photos.
        landmarks: Photo → five landmarks, shape (5, 2), pixels.
        size: Side of a portrait, pixels.
    """

    def __init__(
        self, photos: Photos, landmarks: Mapping[str, FloatArray], size: int = PORTRAIT_SIDE
    ) -> None:
        self._photos = photos
        self._landmarks = landmarks
        self._size = size

    @property
    def names(self) -> Sequence[str]:
        """All names, sorted."""
        return sorted(self._landmarks)

    def digest(self, names: Sequence[str]) -> str:
        """Twelve hex digits of these portraits: photos, where the faces are, and the size."""
        digest = hashlib.sha256(str(self._size).encode())
        for name in names:
            digest.update(f"{name} {picture_digest(self._photos, name)}".encode())
            digest.update(self._landmarks[name].tobytes())
        return digest.hexdigest()[:12]

    def read(self, name: str) -> bytes:
        """The whole photo's file."""
        return self._photos.read(name)

    def open(self, name: str) -> Image:
        """The portrait: RGB uint8, shape (size, size, 3)."""
        return self.view(name, None)

    def view(self, name: str, rng: np.random.Generator | None) -> Image:
        """The portrait, cut a little differently and perhaps mirrored where ``rng`` is given."""
        landmarks = self._landmarks[name]
        if rng is not None:
            landmarks = jitter(landmarks, rng)
        box = BoundingBox(0, 0, 0, 0)  # alignment looks at the landmarks only
        pixels = decode_photo(self._photos, name).pixels
        portrait = align_portrait(pixels, Detection(box, landmarks, 1), self._size)
        if rng is not None and rng.random() < 0.5:
            portrait = np.ascontiguousarray(portrait[:, ::-1])
        return portrait


def jitter(landmarks: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Landmarks as a detector might have put them: moved, turned and scaled a little."""
    center = landmarks.mean(0)
    apart = float(np.hypot(*(landmarks[1] - landmarks[0])))
    angle, scale = np.radians(rng.normal(0, 2.5)), np.exp(rng.normal(0, 0.05))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (landmarks - center) @ turn.T + center + rng.normal(0, 0.05 * apart, 2)
    moved += rng.normal(0, 0.015 * apart, landmarks.shape)
    return np.asarray(moved, np.float32)


@dataclass(frozen=True, slots=True)
class FoundFaces:
    """The face that each photo is about; photos without one are left out.

    Attributes:
        names: Of the photos, M.
        landmarks: Shape (M, 5, 2), pixels, as the server's detector gives them.
        points: Shape (M, 468, 3): the face mesh, pixels.
    """

    names: tuple[str, ...]
    landmarks: FloatArray
    points: FloatArray

    def by_name(self) -> dict[str, FloatArray]:
        """Photo → landmarks."""
        return dict(zip(self.names, self.landmarks, strict=True))


def find_faces(
    photos: Photos,
    names: Sequence[str],
    *,
    detector: Detector,
    mesh: Mesh,
    file: Path,
    progress: Callable[[int], None] | None = None,
) -> FoundFaces:
    """Finds the faces, and keeps them in ``file`` (.npz) for the next time.

    Of several faces the one whose eyes are nearest to where deep funneling puts them is taken,
    if they are near at all.
    """
    if file.exists():
        with np.load(file) as kept:
            return FoundFaces(tuple(kept["names"].tolist()), kept["landmarks"], kept["points"])
    found: dict[str, tuple[FloatArray, FloatArray]] = {}
    for done, name in enumerate(names, 1):
        photo = decode_photo(photos, name)
        faces = detector.detect(photo.pixels, photo.reduced)
        if faces:
            best = min(faces, key=lambda face: _distance(face.landmarks))
            if _distance(best.landmarks) < EYES_APART:
                box = best.box
                corners = np.array([box.x, box.y, box.x + box.width, box.y + box.height])
                points, _ = mesh.measure(
                    photo.pixels, corners.astype(np.float32), best.landmarks[:2]
                )
                found[name] = best.landmarks, points
        if progress:
            progress(done)
    landmarks = np.array([face[0] for face in found.values()], np.float32).reshape(-1, 5, 2)
    points = np.array([face[1] for face in found.values()], np.float32).reshape(-1, 468, 3)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"partial-{file.name}")
    np.savez(partial, names=np.array(list(found)), landmarks=landmarks, points=points)
    partial.replace(file)
    return FoundFaces(tuple(found), landmarks, points)


EYES_APART = float(EYES[1, 0] - EYES[0, 0])


def _distance(landmarks: FloatArray) -> float:
    return float(np.abs(landmarks[:2] - EYES).max())
