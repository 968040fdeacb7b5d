"""Does the same person get the same celebrity from another photo or a changed one?"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage
from PIL import ImageEnhance, ImageOps

from model_server.analysis import FloatArray
from training.embedder.crops import find_subject
from training.gallery.bootstrap import draw_people, interval
from training.gallery.evaluate import MatcherFigures, others
from training.gallery.features import FaceModels, FaceTable, read_faces
from training.gallery.probes import index_of
from training.gallery.seed import enrol, general_hubness, seed_rows

__all__ = ["PEOPLE", "stability"]

_ANOTHER = "another_photo"

PEOPLE = 200

Picture = PillowImage.Image
Shares = npt.NDArray[np.float64]


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


def stability(
    data: Path, table: FaceTable, models: FaceModels, people: int = PEOPLE
) -> MatcherFigures:
    """Shares of val people who keep their best celebrity, or one of their best three.

    The first photo of each of so many val people is compared with its changed versions, and
    with the other photos of the person where there are any. The person's own celebrity is
    left out, as if the person were not in the gallery.
    """
    enrolled = enrol(table, seed_rows(table))
    index = index_of(enrolled, general_hubness(table))

    def best_three(vectors: FloatArray, people: list[str]) -> list[list[str]]:
        found = others(index, enrolled.ids, vectors, people, 3)
        return [[name for name, _ in hits] for hits in found]

    val = table.rows("lfw", "val")
    _, first = np.unique(table.people[val], return_index=True)
    base_rows = val[first][:people]
    base = dict(
        zip(
            table.names[base_rows].tolist(),
            best_three(table.vectors[base_rows], table.people[base_rows].tolist()),
            strict=True,
        )
    )
    agreements = {change: _Agreement() for change in (*CHANGES, _ANOTHER)}
    for change, name, person, vector in _changed(data, table, models, set(base)):
        agreements[change].add(person, best_three(vector[None], [person])[0], base[name])
    first_of = dict(zip(table.people[base_rows].tolist(), base.values(), strict=True))
    for row in np.setdiff1d(val, val[first]).tolist():
        person = str(table.people[row])
        if person in first_of:
            three = best_three(table.vectors[row][None], [person])[0]
            agreements[_ANOTHER].add(person, three, first_of[person])
    return {"stability_people": len(base_rows), **_figures(agreements)}


class _Agreement:
    """How often two answers agree, person by person.

    Attributes:
        answers: For each comparison of a person, whether both have the same best celebrity,
            and whether one is among the best three of both.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[bool, bool]]] = {}

    def add(self, person: str, three: list[str], others: list[str]) -> None:
        """Compares the best three of two photos of a person."""
        answer = three[0] == others[0], not set(three).isdisjoint(others)
        self.answers.setdefault(person, []).append(answer)

    def by_person(self) -> Shares:
        """The two shares, each person counted once; shape (2,)."""
        people = [np.mean(answers, axis=0) for answers in self.answers.values()]
        return np.asarray(np.mean(people, axis=0), np.float64)

    def by_photo(self) -> Shares:
        """The two shares, each comparison counted once; shape (2,)."""
        every = list(chain.from_iterable(self.answers.values()))
        return np.asarray(np.mean(every, axis=0), np.float64)


def _figures(agreements: Mapping[str, _Agreement]) -> MatcherFigures:
    figures: MatcherFigures = {}

    def add(name: str, shares: Shares) -> None:
        same, shared = shares.round(4).tolist()
        figures[f"same_best_{name}"], figures[f"share_one_of_three_{name}"] = same, shared

    another = agreements[_ANOTHER]
    changes = {name: one.by_photo() for name, one in agreements.items() if name != _ANOTHER}
    for name, shares in changes.items():
        add(name, shares)
    # Somebody with a hundred photos outweighs a hundred people in the one, not in the other.
    for counted, shares in (("", another.by_photo()), ("_by_person", another.by_person())):
        add(f"{_ANOTHER}{counted}", shares)
        add(f"mean{counted}", np.mean([*changes.values(), shares], axis=0))
    low, high = _likely(list(agreements.values())).round(4).tolist()
    for name, ends in (("same", (low[0], high[0])), ("shared", (low[1], high[1]))):
        figures[f"stability_{name}_low"], figures[f"stability_{name}_high"] = ends
    photos = [len(answers) for answers in another.answers.values()]
    return figures | {
        "another_photo_people": len(photos),
        "another_photo_photos": sum(photos),
        "another_photo_most_of_one": max(photos),
    }


def _likely(agreements: Sequence[_Agreement]) -> Shares:
    """Ends of what 95 % of other draws of people would give for the mean by photo.

    A person is drawn with all changes and photos.

    Returns:
        Shape (2, 2): lower and upper ends, of both shares.
    """
    people = sorted(set().union(*(one.answers for one in agreements)))
    drawn = draw_people(len(people))
    means = np.zeros((len(drawn), 2))
    for one in agreements:
        answers = [np.asarray(one.answers.get(person, [])).reshape(-1, 2) for person in people]
        right = np.stack([own.sum(0) for own in answers])[drawn].sum(1)
        asked = np.array([len(own) for own in answers])[drawn].sum(1)
        # A draw of people of whom nobody has another photo says nothing of it.
        means += right / np.maximum(asked, 1)[:, None] / len(agreements)
    return interval(means)


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
