"""Does the same person get the same celebrity when the photo changes?"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageEnhance
from rich.table import Table

from model_server.analysis import FloatArray, Image
from model_server.faces.detector import FaceDetector
from model_server.faces.embedder import FaceEmbedder
from training.embedder.crops import LANDMARKS, FaceSet, find_subject, read_people
from training.embedder.identification import best_per_person

__all__ = ["CHANGES", "stability"]


def _jpeg(picture: PillowImage.Image) -> PillowImage.Image:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=30)
    return PillowImage.open(stream)


CHANGES: Mapping[str, Callable[[PillowImage.Image], PillowImage.Image]] = {
    "cropped": lambda picture: picture.crop((40, 40, 210, 225)),
    "flipped": lambda picture: picture.transpose(PillowImage.Transpose.FLIP_LEFT_RIGHT),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.6),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.4),
    "JPEG quality 30": _jpeg,
    "rotated by 20°": lambda picture: picture.rotate(20, PillowImage.Resampling.BICUBIC),
}
"""What may happen to a photo of 250 x 250 pixels."""


def stability(
    data: Path, faces: FaceSet, detector: FaceDetector, embedder: FaceEmbedder, people: int
) -> Table:
    """Agreement on the best celebrity before and after a change.

    Celebrities are the data set's and LFW's train people, best face of each; probes are
    val people, who are not among them.

    Args:
        data: Folder of the data sets.
        faces: Crops of every face.
        detector: As served.
        embedder: As served.
        people: Probes.
    """
    lfw = np.array([name.startswith("lfw/") for name in faces.names])
    split = np.array(faces.splits)
    names, person = np.unique(np.array(faces.people), return_inverse=True)
    val = np.unique(person[lfw & (split == "val")])
    enrolled = np.flatnonzero(faces.found & ~np.isin(person, val))
    gallery = embedder.embed_aligned(
        [embedder.align(faces.crops[row], LANDMARKS) for row in enrolled]
    )

    def best(vector: FloatArray) -> list[int]:
        scores, owners = best_per_person(vector[None] @ gallery.T, person[enrolled])
        return [int(owner) for owner in owners[np.argsort(-scores[0])[:3]]]

    def look(picture: PillowImage.Image) -> list[int]:
        photo: Image = np.asarray(picture.convert("RGB"))
        face = find_subject(detector, photo)
        return [] if face is None else best(embedder.embed(photo, [face])[0])

    photos = _photos(data, set(names[val]))
    chosen = sorted(photos)[:: max(len(photos) // people, 1)][:people]
    answers: dict[str, list[tuple[list[int], list[int]]]] = {}
    for name in chosen:
        first, *more = photos[name]
        before = look(first)
        for change, apply in CHANGES.items():
            answers.setdefault(change, []).append((before, look(apply(first))))
        if more:
            answers.setdefault("another photo", []).append((before, look(more[0])))
    table = Table(title=f"Stability: {len(chosen)} people among {len(np.unique(person[enrolled]))}")
    for column in ("change", "photos", "same best %", "shared top 3 %"):
        table.add_column(column)
    listed = list(answers.items())
    every = [pair for change, pairs in listed if change != "another photo" for pair in pairs]
    for change, pairs in [*listed, ("all but another photo", every)]:
        same = np.mean([bool(a) and a[:1] == b[:1] for a, b in pairs])
        shared = np.mean([bool({*a} & {*b}) for a, b in pairs])
        table.add_row(change, str(len(pairs)), f"{same * 100:.1f}", f"{shared * 100:.1f}")
    return table


def _photos(data: Path, people: set[str]) -> dict[str, list[PillowImage.Image]]:
    """At most two photos of each person."""
    photos: dict[str, list[PillowImage.Image]] = {}
    for face in read_people(data, "lfw"):
        if face.person in people and len(photos.get(face.person, ())) < 2:
            photos.setdefault(face.person, []).append(PillowImage.fromarray(face.photo))
    return photos
