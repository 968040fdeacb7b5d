"""Does the same person get the same celebrity from another photo or a changed one?"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageEnhance, ImageOps

from model_server.analysis import FloatArray
from training.embedder.crops import find_subject
from training.gallery.evaluate import MatcherFigures, others
from training.gallery.features import FaceModels, FaceTable, read_faces
from training.gallery.probes import index_of
from training.gallery.seed import enrol, general_hubness, seed_rows

__all__ = ["stability"]

_PEOPLE = 200

Picture = PillowImage.Image


def _crop(picture: Picture) -> Picture:
    width, height = picture.size
    return picture.crop((round(0.12 * width), round(0.12 * height), width, height))


def _jpeg(picture: Picture) -> Picture:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=30)
    return PillowImage.open(buffer).convert("RGB")


CHANGES: dict[str, Callable[[Picture], Picture]] = {
    "crop": _crop,
    "flip": ImageOps.mirror,
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.4),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.6),
    "jpeg_30": _jpeg,
    "rotated_20": lambda picture: picture.rotate(20, PillowImage.Resampling.BICUBIC),
}


def stability(data: Path, table: FaceTable, models: FaceModels) -> MatcherFigures:
    """Shares of val people who keep their best celebrity, or one of their best three.

    The first photo of each of 200 val people is compared with its changed versions, and
    with another photo of the person where there is one. The person's own celebrity is
    left out, as if the person were not in the gallery.
    """
    enrolled = enrol(table, seed_rows(table))
    index = index_of(enrolled, general_hubness(table))

    def best_three(vectors: FloatArray, people: list[str]) -> list[list[str]]:
        found = others(index, enrolled.ids, vectors, people, 3)
        return [[name for name, _ in hits] for hits in found]

    val = table.rows("lfw", "val")
    _, first = np.unique(table.people[val], return_index=True)
    base_rows = val[first][:_PEOPLE]
    base = dict(
        zip(
            table.names[base_rows].tolist(),
            best_three(table.vectors[base_rows], table.people[base_rows].tolist()),
            strict=True,
        )
    )
    same: dict[str, list[bool]] = {}
    shared: dict[str, list[bool]] = {}
    for change, name, person, vector in _changed(data, table, models, set(base)):
        three = best_three(vector[None], [person])[0]
        same.setdefault(change, []).append(three[0] == base[name][0])
        shared.setdefault(change, []).append(bool(set(three) & set(base[name])))
    for row in val[np.setdiff1d(np.arange(len(val)), first)].tolist():
        person = str(table.people[row])
        own = base_rows[table.people[base_rows] == person]
        if not len(own):
            continue
        three = best_three(table.vectors[row][None], [person])[0]
        name = str(table.names[own[0]])
        same.setdefault("another_photo", []).append(three[0] == base[name][0])
        shared.setdefault("another_photo", []).append(bool(set(three) & set(base[name])))
    figures: MatcherFigures = {"stability_people": len(base_rows)}
    for change, hits in same.items():
        figures[f"same_best_{change}"] = round(float(np.mean(hits)), 4)
        figures[f"share_one_of_three_{change}"] = round(float(np.mean(shared[change])), 4)
    figures["same_best_mean"] = round(float(np.mean([np.mean(hits) for hits in same.values()])), 4)
    figures["share_one_of_three_mean"] = round(
        float(np.mean([np.mean(hits) for hits in shared.values()])), 4
    )
    return figures


def _changed(
    data: Path, table: FaceTable, models: FaceModels, names: set[str]
) -> Iterator[tuple[str, str, str, FloatArray]]:
    """Change, photo, person and embedding of every changed photo."""
    person_of = dict(zip(table.names.tolist(), table.people.tolist(), strict=True))
    for face in read_faces(data):
        if face.name not in names:
            continue
        for change, apply in CHANGES.items():
            image = np.asarray(apply(PillowImage.fromarray(face.photo)))
            subject = find_subject(models.detector, image)
            # A lost face counts as a changed answer: the vector is one of nobody.
            vector = np.full(models.embedder.dimension, 1e-3, np.float32)
            if subject:
                vector = models.embedder.embed(image, [subject])[0]
            yield change, face.name, person_of[face.name], vector
