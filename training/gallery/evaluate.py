"""Measures the matcher with the very code that serves: index, hubness, scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from model_server.analysis import FloatArray
from model_server.gallery.calibration import Calibration
from model_server.gallery.hubness import Hubness
from model_server.gallery.index import FaceIndex
from model_server.gallery.records import PersonFaces
from model_server.gallery.scoring import BestMatches, Scorer
from training.gallery.features import FaceTable
from training.gallery.seed import (
    Enrolled,
    enrol,
    general_hubness,
    genuine_scores,
    pair_cosines,
    reference_rows,
    seed_rows,
)

__all__ = ["MatcherFigures", "balanced_error", "evaluate", "others"]

Rows = npt.NDArray[np.intp]
MatcherFigures = dict[str, float]

_PROBES_A_PERSON = 3


def index_of(enrolled: Enrolled, hubness: Hubness) -> FaceIndex:
    """An index of the people; a person's key is the place in ``enrolled.ids``."""
    index = FaceIndex(hubness.reference.shape[1], hubness)
    index.replace(
        [PersonFaces(key, rows) for key, rows in enumerate(enrolled.centres)], known=False
    )
    return index


def evaluate(table: FaceTable) -> MatcherFigures:
    """All figures that need no photo; see the keys."""
    figures: MatcherFigures = {"photos": len(table.names) + table.missed, "missed": table.missed}
    figures |= _identification(table)
    figures |= _one_enrolled(table)
    figures |= _held_out(table)
    return figures


def _ranks(index: FaceIndex, ids: Sequence[str], table: FaceTable, probes: Rows) -> FloatArray:
    """Rank of each probe's person, from 0; 5 stands for 5 and beyond."""
    key_of = {person: key for key, person in enumerate(ids)}
    found = index.search(table.vectors[probes], 5)
    ranks = []
    for row, hits in zip(probes, found, strict=True):
        keys = [hit.key for hit in hits]
        own = key_of[table.people[row]]
        ranks.append(keys.index(own) if own in keys else 5)
    return np.array(ranks, np.float32)


def _identification(table: FaceTable) -> MatcherFigures:
    """Celebrities, gallery to probe, all people of LFW among them."""
    enrolled_celebrities = table.rows("celebrities", "gallery")
    strangers = table.rows("lfw")
    known = np.unique(table.people[enrolled_celebrities])
    strangers = strangers[~np.isin(table.people[strangers], known)]
    enrolled = enrol(table, np.concatenate([enrolled_celebrities, strangers]))
    index = index_of(enrolled, general_hubness(table))
    ranks = _ranks(index, enrolled.ids, table, table.rows("celebrities", "probe"))
    return {
        "celebrities_probes": len(ranks),
        "celebrities_rank_1": _share(ranks < 1),
        "celebrities_rank_5": _share(ranks < 5),
    }


def _one_enrolled(table: FaceTable) -> MatcherFigures:
    """People of LFW with two or more photos: the first is enrolled, up to three ask."""
    figures: MatcherFigures = {}
    hubness = general_hubness(table)
    every = table.rows("lfw")
    first, probes = [], []
    for person in np.unique(table.people[every]):
        own = every[table.people[every] == person]
        first.append(own[0])
        probes.extend(own[1 : 1 + _PROBES_A_PERSON])
    enrolled = enrol(table, np.array(first))
    index = index_of(enrolled, hubness)
    asked = np.array(probes)
    ranks = _ranks(index, enrolled.ids, table, asked)
    of_val = table.splits[asked] == "val"
    for name, which in (("", np.ones(len(asked), bool)), ("_val", of_val)):
        figures[f"lfw_one_enrolled{name}_probes"] = int(which.sum())
        figures[f"lfw_one_enrolled{name}_rank_1"] = _share(ranks[which] < 1)
        figures[f"lfw_one_enrolled{name}_rank_5"] = _share(ranks[which] < 5)
    return figures


def others(
    index: FaceIndex, ids: Sequence[str], vectors: FloatArray, people: Iterable[str], count: int
) -> list[list[tuple[str, float]]]:
    """The best celebrities of each face, the own person left out: id and score."""
    found = index.search(vectors, count + 1)
    return [
        [(ids[hit.key], hit.score) for hit in hits if ids[hit.key] != person][:count]
        for person, hits in zip(people, found, strict=True)
    ]


def _held_out(table: FaceTable) -> MatcherFigures:
    """Hubs, likeness and probabilities: fitted on half of the val people, measured on the other."""
    val = table.rows("lfw", "val")
    side = np.array([sum(person.encode()) % 2 for person in table.people[val].tolist()])
    enrolled = enrol(table, seed_rows(table))
    winners: list[str] = []
    own_probability: list[float] = []
    strange_probability: list[float] = []
    collected: dict[str, list[float]] = {
        "likeness": [],
        "pair_error": [],
        "fnir_1": [],
        "fnir_10": [],
    }
    hubness = general_hubness(table)
    index = index_of(enrolled, hubness)
    for half in (0, 1):
        fit, test = val[side == half], val[side != half]
        best = others(index, enrolled.ids, table.vectors[test], table.people[test].tolist(), 1)
        winners += [hits[0][0] for hits in best]
        everybody = np.array([hits[0][1] for hits in best], np.float32)
        # One photo a person, lest people with many photos decide.
        single = np.isin(test, reference_rows(table, test))
        strangers = everybody[single]

        genuine_fit = genuine_scores(table, fit, hubness)
        genuine_test = genuine_scores(table, test, hubness)
        key_of = {person: key for key, person in enumerate(enrolled.ids)}
        reference = reference_rows(table, fit)
        own_keys = [key_of[person] for person in table.people[reference].tolist()]
        matches = BestMatches(hubness, table.vectors[reference], own_keys)
        matches.search_all(index)
        pairs = Calibration.fit(*pair_cosines(table, fit))
        scorer = Scorer(pairs, genuine_fit, matches.scores)
        collected["likeness"] += [scorer.likeness(float(score)) for score in strangers]
        collected["pair_error"].append(_error(pairs, *pair_cosines(table, test, seed=1)))
        fitted = Calibration.fit(genuine_fit, matches.scores)
        own_probability += [fitted.probability(float(score)) for score in genuine_test]
        strange_probability += [fitted.probability(float(score)) for score in everybody]
        for name, quantile in (("fnir_1", 0.99), ("fnir_10", 0.9)):
            threshold = np.quantile(strangers, quantile)
            collected[name].append(_share(genuine_test < threshold))
    counts = np.unique(winners, return_counts=True)[1]
    likeness = np.array(collected["likeness"])
    return {
        "val_faces": len(winners),
        "most_frequent_best_match": round(float(counts.max() / len(winners)), 4),
        "different_best_matches": len(counts),
        "likeness_of_strangers_median": round(float(np.median(likeness)), 1),
        "likeness_of_strangers_p10": round(float(np.quantile(likeness, 0.1)), 1),
        "likeness_of_strangers_p90": round(float(np.quantile(likeness, 0.9)), 1),
        "compare_calibration_error": _mean(collected["pair_error"]),
        "match_calibration_error": round(
            balanced_error(np.array(own_probability), np.array(strange_probability)), 4
        ),
        "fnir_at_fpir_1_percent": _mean(collected["fnir_1"]),
        "fnir_at_fpir_10_percent": _mean(collected["fnir_10"]),
    }


def balanced_error(
    same: npt.NDArray[np.float64], different: npt.NDArray[np.float64], bins: int = 15
) -> float:
    """Expected calibration error: mean |confidence - accuracy| over equal-width bins.

    Args:
        same: Probabilities given to pairs of the same person.
        different: Those given to different people; both kinds weigh alike in all, as the
            calibration takes for granted.
        bins: How many.
    """
    probability = np.concatenate([same, different])
    weight = np.repeat([0.5 / len(same), 0.5 / len(different)], [len(same), len(different)])
    is_same = np.arange(len(probability)) < len(same)
    which = np.minimum((probability * bins).astype(int), bins - 1)
    total = 0.0
    for number in range(bins):
        inside = which == number
        if inside.any():
            share = weight[inside].sum()
            confidence = (weight * probability)[inside].sum() / share
            total += float(share * abs(confidence - (weight * is_same)[inside].sum() / share))
    return total


def _error(calibration: Calibration, same: FloatArray, different: FloatArray) -> float:
    own = np.array([calibration.probability(float(score)) for score in same])
    other = np.array([calibration.probability(float(score)) for score in different])
    return balanced_error(own, other)


def _share(mask: npt.NDArray[np.bool_]) -> float:
    return round(float(mask.mean()), 4)


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4)
