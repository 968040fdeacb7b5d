"""How well embeddings tell people apart: verification and identification."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_server.analysis import FloatArray

__all__ = [
    "Pairs",
    "Verification",
    "all_pairs",
    "read_pairs",
    "true_accept_rate",
    "verification",
]

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of faces.

    Attributes:
        first: Index of the first face, shape (P,).
        second: Index of the second one.
        same: Whether they are of one person.
        fold: Of the list's folds.
    """

    first: IntArray
    second: IntArray
    same: BoolArray
    fold: IntArray

    def scores(self, embeddings: FloatArray) -> FloatArray:
        """Cosine of each pair, for unit rows."""
        cosines: FloatArray = np.einsum("ij,ij->i", embeddings[self.first], embeddings[self.second])
        return cosines

    def where(self, mask: BoolArray) -> Pairs:
        """Some of them."""
        return Pairs(self.first[mask], self.second[mask], self.same[mask], self.fold[mask])


@dataclass(frozen=True, slots=True)
class Verification:
    """Figures over pairs, all 0..1.

    Attributes:
        accuracy: Mean over the folds, threshold chosen on the others.
        deviation: Standard deviation over the folds.
        tar_1e2: True accepts at 1 % false accepts.
        tar_1e3: True accepts at 0.1 % false accepts.
    """

    accuracy: float
    deviation: float
    tar_1e2: float
    tar_1e3: float


def read_pairs(table: Path, index: dict[str, int]) -> Pairs:
    """LFW's list of pairs; those with a face that has no index are left out.

    Args:
        table: pairs.csv.
        index: Row of each face by its file name, such as "Ann_Lee_0001.webp".
    """
    rows: list[tuple[int, int, bool, int]] = []
    with table.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["image1"] in index and row["image2"] in index:
                first, second = index[row["image1"]], index[row["image2"]]
                rows.append((first, second, row["same"] == "1", int(row["fold"])))
    first_of, second_of, same, fold = zip(*rows, strict=True)
    return Pairs(np.array(first_of), np.array(second_of), np.array(same), np.array(fold))


def all_pairs(people: Sequence[str], rows: IntArray, folds: int = 10) -> Pairs:
    """Every pair among some faces; a pair's fold is drawn by its first face's person.

    Args:
        people: Person of every face.
        rows: The faces to pair.
        folds: How many.
    """
    first, second = np.triu_indices(len(rows), 1)
    first, second = rows[first], rows[second]
    unique, number = np.unique(np.array(people), return_inverse=True)
    del unique
    return Pairs(first, second, number[first] == number[second], number[first] % folds)


def true_accept_rate(scores: FloatArray, same: BoolArray, false_accept_rate: float) -> float:
    """Share of the same-person pairs above the score that so many others exceed."""
    threshold = np.quantile(scores[~same], 1 - false_accept_rate)
    return float((scores[same] > threshold).mean())


def verification(scores: FloatArray, pairs: Pairs) -> Verification:
    """The figures of LFW's protocol."""
    accuracies = []
    for fold in np.unique(pairs.fold):
        inside = pairs.fold == fold
        threshold = _best_threshold(scores[~inside], pairs.same[~inside])
        accuracies.append(((scores[inside] > threshold) == pairs.same[inside]).mean())
    return Verification(
        float(np.mean(accuracies)),
        float(np.std(accuracies)),
        true_accept_rate(scores, pairs.same, 1e-2),
        true_accept_rate(scores, pairs.same, 1e-3),
    )


def _best_threshold(scores: FloatArray, same: BoolArray) -> float:
    order = np.argsort(scores)
    ordered, labels = scores[order], same[order]
    # Right answers if everything above position i is called the same person.
    right = np.concatenate([[0], np.cumsum(~labels)]) + np.concatenate(
        [np.cumsum(labels[::-1])[::-1], [0]]
    )
    best = int(right.argmax())
    low = ordered[max(best - 1, 0)]
    return float((low + ordered[min(best, len(ordered) - 1)]) / 2)
