"""How the matcher does for people of different apparent groups.

A group is what photos show, measured by machine: skin tone by the cheeks' colour, and
estimated age. Person by person, the median over the person's photos.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_server.analysis import FloatArray
from training.few import MAX_PHOTOS
from training.gallery.bootstrap import draw_people, interval
from training.gallery.features import FaceTable
from training.gallery.held_out import Answers
from training.gallery.probes import Probes, Rows
from training.gallery.skin import CLASSES, tone_class

__all__ = ["AGES", "FALSE_ACCEPT_RATE", "apparent_groups", "group_tables", "read_ages"]

FALSE_ACCEPT_RATE = 1e-3
_MOST_PAIRS = 1_000_000

AGES: tuple[tuple[str, float], ...] = (
    ("under 30", 30.0),
    ("30 to 39", 40.0),
    ("40 and over", np.inf),
)
"""Names, and the age below which they end; the estimates are drawn towards the middle."""

ORDER = {"skin tone": [name for name, _ in CLASSES], "age": [name for name, _ in AGES]}

Line = dict[str, float | str]


def read_ages(data: Path) -> dict[str, float]:
    """Estimated age by photo of LFW, such as "Ann_Lee_0001.webp"."""
    with gzip.open(data / "lfw" / "attributes.csv.gz", "rt", encoding="utf-8") as table:
        return {row["image_name"]: float(row["age_estimate"]) for row in csv.DictReader(table)}


def apparent_groups(
    table: FaceTable, tones: Mapping[str, float], ages: Mapping[str, float]
) -> dict[str, dict[str, str]]:
    """The groups of LFW's people: by way of grouping, then by the person's id.

    Args:
        table: All faces.
        tones: ITA by the photo's name.
        ages: Years by the name of the photo's file.
    """
    seen: dict[str, dict[str, list[float]]] = {
        "skin tone": defaultdict(list),
        "age": defaultdict(list),
    }
    for row in table.rows("lfw").tolist():
        name, person = str(table.names[row]), str(table.people[row])
        if name in tones:
            seen["skin tone"][person].append(tones[name])
        if (file := name.rpartition("/")[2]) in ages:
            seen["age"][person].append(ages[file])
    name_of = {"skin tone": tone_class, "age": _age_group}
    return {
        kind: {person: name_of[kind](float(np.median(values))) for person, values in of.items()}
        for kind, of in seen.items()
    }


def group_tables(
    table: FaceTable,
    probes: Probes,
    groups: Mapping[str, Mapping[str, str]],
    answers: Answers | None = None,
) -> dict[str, list[Line]]:
    """For each way of grouping a line a group, and first one for everybody.

    Both faces of a pair are of the group; the threshold is the one at which
    :data:`FALSE_ACCEPT_RATE` of all pairs of different people are taken for the same.
    Intervals hold 95 % of what another draw of people would give, see
    :mod:`training.gallery.bootstrap`.

    Args:
        table: All faces.
        probes: Whom to look at.
        groups: For each way of grouping, the group of each person's id.
        answers: What these probes are told, for the error of P(same); None leaves it out.
    """
    pairs = _Pairs(table, probes)
    tables = {}
    for kind, group_of in groups.items():
        own = np.array([group_of.get(person, "") for person in probes.people.tolist()])
        everybody = np.ones(len(own), bool)
        lines = [_line("everybody", everybody, pairs, probes, answers)]
        lines += [
            _line(name, own == name, pairs, probes, answers)
            for name in ORDER.get(kind, sorted(set(group_of.values())))
            if (own == name).any()
        ]
        tables[f"by {kind}"] = lines
    return tables


class _Pairs:
    """Pairs of the faces that ask, at most MAX_PHOTOS faces of a person."""

    def __init__(self, table: FaceTable, probes: Probes) -> None:
        self._few = probes.few
        self._person = np.unique(probes.people, return_inverse=True)[1]
        self._vectors = table.vectors[probes.rows]
        different = self.different(self._few)
        self.threshold = float(np.quantile(different, 1 - FALSE_ACCEPT_RATE))

    def same(self, among: npt.NDArray[np.bool_]) -> tuple[FloatArray, npt.NDArray[np.intp]]:
        """Cosines of all pairs of one person, and who it is."""
        places = np.flatnonzero(among & self._few)
        places = places[np.argsort(self._person[places], kind="stable")]
        first, second = [], []
        # Photos of a person lie together: all pairs are at most so far apart.
        for step in range(1, MAX_PHOTOS):
            near, far = places[:-step], places[step:]
            mates = self._person[near] == self._person[far]
            first.append(near[mates])
            second.append(far[mates])
        left, right = np.concatenate(first), np.concatenate(second)
        return self._cosines(left, right), self._person[left]

    def different(self, among: npt.NDArray[np.bool_]) -> FloatArray:
        """Cosines of all pairs of different people, or of a million drawn ones."""
        places = np.flatnonzero(among & self._few)
        count = len(places)
        if count * (count - 1) // 2 <= _MOST_PAIRS:
            left, right = np.triu_indices(count, 1)
        else:
            left, right = np.random.default_rng(0).integers(0, count, (2, _MOST_PAIRS))
        left, right = places[left], places[right]
        other = self._person[left] != self._person[right]
        return self._cosines(left[other], right[other])

    def _cosines(self, left: Rows, right: Rows) -> FloatArray:
        parts = [
            np.einsum("ij,ij->i", self._vectors[left[some]], self._vectors[right[some]])
            for some in (slice(start, start + 65536) for start in range(0, len(left), 65536))
        ]
        return np.concatenate([np.zeros(0, np.float32), *parts])


def _line(
    name: str,
    among: npt.NDArray[np.bool_],
    pairs: _Pairs,
    probes: Probes,
    answers: Answers | None,
) -> Line:
    same, owners = pairs.same(among)
    different = pairs.different(among)
    mated = probes.mated & among
    line: Line = {
        "group": name,
        "people": len(np.unique(probes.people[among])),
        "people_with_two_photos": len(np.unique(probes.people[mated])),
        "same_pairs": len(same),
        "different_pairs": len(different),
    }
    if len(different):
        line["false_accept_rate"] = round(float((different > pairs.threshold).mean()), 5)
    line |= _shares("true_accept_rate", same > pairs.threshold, owners)
    first = probes.own[mated] > probes.best_other[mated]
    line |= _shares("rank_1", first, np.unique(probes.people[mated], return_inverse=True)[1])
    if answers and mated.any():
        said = answers.matches(among=among)
        line |= {
            "calibration_error": round(said.error, 4),
            "calibration_chance": round(said.chance, 4),
        }
    return line


def _shares(
    key: str, hits: npt.NDArray[np.bool_], person: npt.NDArray[np.intp]
) -> dict[str, float]:
    """The share of hits with its interval over people; nothing where there are none."""
    if not len(hits):
        return {}
    _, number = np.unique(person, return_inverse=True)
    right, all_ = np.bincount(number, hits), np.bincount(number)
    drawn = draw_people(len(all_))
    low, high = interval(right[drawn].sum(1) / all_[drawn].sum(1)).tolist()
    values = (float(hits.mean()), low, high)
    return {
        name: round(value, 4)
        for name, value in zip((key, f"{key}_low", f"{key}_high"), values, strict=True)
    }


def _age_group(years: float) -> str:
    return next(name for name, high in AGES if years < high)
