"""Several photos of a user taken together: what that is worth, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model_server.analysis import FloatArray
from model_server.errors import WrongPersonError
from model_server.faces.together import choose_faces, weighted_mean
from model_server.gallery.calibration import Calibration
from model_server.gallery.hubness import Hubness
from model_server.gallery.index import FaceIndex
from training.gallery.features import FaceTable
from training.gallery.held_out import FOLDS, fold_of
from training.gallery.probes import Rows
from training.gallery.seed import own_score, pair_cosines

__all__ = ["together"]

_MOST = 3
_SETS_A_PERSON = 3


def together(
    table: FaceTable, rows: Rows, index: FaceIndex, ids: Sequence[str], hubness: Hubness
) -> list[dict[str, float]]:
    """A line for one, two and three photos asking together.

    Of each person with four photos or more one photo is enrolled and sets of the others
    ask; the same people ask for every number of photos, so that the lines can be
    compared. A stranger's photo in place of the last should be refused.

    Args:
        table: All faces.
        rows: The faces of the people who ask.
        index: The gallery.
        ids: Of the gallery's people by key.
        hubness: Of the gallery.
    """
    people = table.people[rows]
    fold = fold_of(people)
    curves = [
        Calibration.fit(*pair_cosines(table, rows[fold != part])) if (fold == part).any() else None
        for part in range(FOLDS)
    ]
    lines = []
    for count in range(1, _MOST + 1):
        rng = np.random.default_rng(0)
        right: dict[str, list[bool]] = {"rank_1_plain": [], "rank_1_weighted": []}
        refused: list[bool] = []
        caught: list[bool] = []
        for person in np.unique(people):
            own = rows[people == person]
            if len(own) <= _MOST:
                continue
            curve = curves[fold[people == person][0]]
            for _ in range(_SETS_A_PERSON):
                drawn = rng.permutation(own)
                stranger = rng.choice(rows[people != person])
                enrolled, asked = drawn[:1], drawn[1 : 1 + count]
                vectors, quality = table.vectors[asked], table.quality[asked].tolist()
                means = (weighted_mean(vectors, [1.0] * count), weighted_mean(vectors, quality))
                for key, mean in zip(right, means, strict=True):
                    score = own_score(table, mean, enrolled, hubness)
                    best = next(
                        hit.score
                        for hit in index.search(mean[None], 2)[0]
                        if ids[hit.key] != person
                    )
                    right[key].append(score > best)
                if count > 1 and curve:
                    refused.append(_is_refused(vectors, curve))
                    mixed = np.concatenate([vectors[:-1], table.vectors[[stranger]]])
                    caught.append(_is_refused(mixed, curve))
        line: dict[str, float] = {"photos": count, "sets": len(right["rank_1_plain"])}
        line |= {key: _share(hits) for key, hits in right.items() if hits}
        if refused:
            line |= {"refused": _share(refused), "strangers_refused": _share(caught)}
        lines.append(line)
    return lines


def _is_refused(vectors: FloatArray, curve: Calibration) -> bool:
    try:
        choose_faces(
            [vector[None] for vector in vectors],
            lambda one, other: curve.probability(float(one @ other)),
        )
    except WrongPersonError:
        return True
    return False


def _share(hits: Sequence[bool]) -> float:
    return round(float(np.mean(hits)), 4)
