"""Measures the matcher with the very code that serves: index, hubness, scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import numpy.typing as npt

from model_server.analysis import FloatArray
from model_server.gallery.hubness import Hubness
from model_server.gallery.index import FaceIndex
from training.gallery.features import FaceTable, Strings
from training.gallery.groups import group_tables
from training.gallery.held_out import ask, open_set
from training.gallery.probes import SHOWN, Rows, index_of, make_probes
from training.gallery.seed import enrol, general_hubness, reference_rows, seed_rows
from training.gallery.together import together

__all__ = ["Evaluation", "MatcherFigures", "Tables", "evaluate", "others"]

MatcherFigures = dict[str, float]
Tables = dict[str, list[dict[str, float | str]]]

_PROBES_A_PERSON = 3


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured.

    Attributes:
        figures: Single values by name.
        tables: Lines by the table's name; those of a table have the same keys.
    """

    figures: MatcherFigures = field(default_factory=dict)
    tables: Tables = field(default_factory=dict)


def evaluate(table: FaceTable, groups: Mapping[str, Mapping[str, str]] | None = None) -> Evaluation:
    """All that needs no photo; see the keys.

    Args:
        table: All faces.
        groups: For each way to group people, the group of each person's id.
    """
    result = Evaluation()
    result.figures.update(photos=len(table.names) + table.missed, missed=table.missed)
    result.figures.update(_identification(table))
    result.figures.update(_one_enrolled(table))
    _held_out(table, groups or {}, result)
    if groups:
        train = make_probes(table, table.rows("lfw", "train"), *_gallery(table))
        tables = group_tables(table, train, groups)
        result.tables.update({f"{name}, train": lines for name, lines in tables.items()})
    return result


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
    held_out = np.isin(known, table.people[table.rows("lfw", "val")])
    return {
        "celebrities": len(known),
        "celebrities_held_out": int(held_out.sum()),
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


def _gallery(table: FaceTable) -> tuple[FaceIndex, list[str], Hubness]:
    """The seed gallery: its index, the ids of its people by key, and its correction."""
    enrolled, hubness = enrol(table, seed_rows(table)), general_hubness(table)
    return index_of(enrolled, hubness), enrolled.ids, hubness


def _held_out(
    table: FaceTable, groups: Mapping[str, Mapping[str, str]], result: Evaluation
) -> None:
    """Hubs, likeness, probabilities, strangers and groups, on val people."""
    val = table.rows("lfw", "val")
    gallery = _gallery(table)
    probes = make_probes(table, val, *gallery)
    answers = ask(table, probes)
    winners = [hits[0].key for hits in probes.others]
    counts = np.unique(winners, return_counts=True)[1]
    # Photos of one person mostly find the same celebrity: that alone makes no hub.
    by_person = np.bincount(winners, weights=_each_person_once(probes.people))
    # One photo a person, lest people with many photos decide.
    likeness = answers.likeness[np.isin(val, reference_rows(table, val))]
    best, later = answers.matches(), answers.matches(slice(1, SHOWN))
    curve = open_set(probes)
    fnir = {line["fpir"]: line["fnir"] for line in curve}
    result.figures.update(
        val_faces=len(val),
        val_people=len(np.unique(probes.people)),
        val_mated_faces=int(probes.mated.sum()),
        val_mated_people=len(np.unique(probes.people[probes.mated])),
        most_frequent_best_match=round(float(counts.max() / len(val)), 4),
        most_frequent_best_match_by_person=round(float(by_person.max()), 4),
        different_best_matches=len(counts),
        likeness_of_strangers_median=round(float(np.median(likeness)), 1),
        likeness_of_strangers_p10=round(float(np.quantile(likeness, 0.1)), 1),
        likeness_of_strangers_p90=round(float(np.quantile(likeness, 0.9)), 1),
        compare_calibration_error=round(answers.pairs.error, 4),
        compare_calibration_chance=round(answers.pairs.chance, 4),
        match_calibration_error=round(best.error, 4),
        match_calibration_chance=round(best.chance, 4),
        later_match_calibration_error=round(later.error, 4),
        later_match_calibration_chance=round(later.chance, 4),
        fnir_at_fpir_1_percent=fnir[0.01],
        fnir_at_fpir_10_percent=fnir[0.1],
    )
    result.tables["open_set"] = [dict(line) for line in curve]
    result.tables["reliability"] = [
        {key: round(value, 4) for key, value in asdict(one).items()} for one in best.bins
    ]
    result.tables["together"] = [dict(line) for line in together(table, val, *gallery)]
    result.tables.update(group_tables(table, probes, groups, answers))


def _each_person_once(people: Strings) -> npt.NDArray[np.float64]:
    """Weights of photos, those of a person together as much as another's; they sum to 1."""
    _, person, photos = np.unique(people, return_inverse=True, return_counts=True)
    return np.asarray(1 / photos[person] / len(photos), np.float64)


def _share(mask: npt.NDArray[np.bool_]) -> float:
    return round(float(mask.mean()), 4)
