"""How true face descriptions are: scored by the attributes parsed back from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model_server.analysis import Attribute
from model_server.captioning.face_grammar import contradictions, describe, parse
from training.faces.labels import PRESENT, UNKNOWN, VALUES, exclusive_columns

__all__ = ["Score", "consistent", "constant_caption", "decide", "mentions", "score", "score_texts"]

Said = npt.NDArray[np.bool_]
Table = npt.NDArray[np.int8]

_COLUMNS: Mapping[Attribute, int] = {value: column for column, value in enumerate(VALUES)}


@dataclass(frozen=True, slots=True)
class Score:
    """How well what is said fits what is known; what is unknown counts for nothing.

    Attributes:
        precision: Micro: share of what was said that is true.
        recall: Micro: share of what is true that was said.
        micro_f1: Their harmonic mean.
        macro_f1: Mean over the values that some face surely shows of their own F1.
        f1: By value, "attribute.value".
        support: By value, the faces that surely show it.
    """

    precision: float
    recall: float
    micro_f1: float
    macro_f1: float
    f1: Mapping[str, float]
    support: Mapping[str, int]


def score(said: Said, table: Table) -> Score:
    """Compares what is said of each face with what is known of it.

    Args:
        said: Shape (N, len(VALUES)).
        table: The same shape, of :class:`training.faces.labels.Labels`.
    """
    known = table != UNKNOWN
    shown = table == PRESENT
    hits = (said & shown).sum(0).astype(float)
    claims, truths = (said & known).sum(0), shown.sum(0)
    f1 = 2 * hits / np.maximum(claims + truths, 1)
    names = [f"{value.name}.{value.value}" for value in VALUES]
    present = truths > 0
    hit, claimed, true = hits.sum(), claims.sum(), truths.sum()
    return Score(
        precision=float(hit / max(claimed, 1)),
        recall=float(hit / max(true, 1)),
        micro_f1=float(2 * hit / max(claimed + true, 1)),
        macro_f1=float(f1[present].mean()) if present.any() else 0.0,
        f1={name: float(f1[column]) for column, name in enumerate(names) if present[column]},
        support={name: int(truths[column]) for column, name in enumerate(names)},
    )


def mentions(texts: Iterable[str]) -> Said:
    """What texts say, shape (N, len(VALUES))."""
    rows = [parse(text) for text in texts]
    said = np.zeros((len(rows), len(VALUES)), np.bool_)
    for row, attributes in enumerate(rows):
        said[row, [_COLUMNS[attribute] for attribute in attributes]] = True
    return said


def score_texts(texts: Sequence[str], table: Table) -> dict[str, Any]:
    """Scores of captions, for JSON: as :class:`Score`, and what only texts can be blamed for."""
    found = score(mentions(texts), table)
    return {
        **summary(found),
        "contradictions": sum(bool(contradictions(text)) for text in texts) / len(texts),
        "distinct": len(set(texts)),
        "empty": sum(not text.strip() for text in texts) / len(texts),
        "attributes_per_caption": float(mentions(texts).sum() / len(texts)),
        "captions": len(texts),
        "f1": {name: round(value, 4) for name, value in found.f1.items()},
    }


def summary(found: Score) -> dict[str, float]:
    """Its four means, rounded."""
    return {
        name: round(getattr(found, name), 4)
        for name in ("precision", "recall", "micro_f1", "macro_f1")
    }


def decide(logits: npt.NDArray[np.float32], thresholds: npt.NDArray[np.float32]) -> Said:
    """What a classifier says: every value whose logit reaches its threshold."""
    said: Said = logits >= thresholds
    return said


def consistent(
    logits: npt.NDArray[np.float32], thresholds: npt.NDArray[np.float32]
) -> list[tuple[Attribute, ...]]:
    """What a classifier says, freed of contradictions: of two values the surer one stays."""
    margins = logits - thresholds
    said = margins >= 0
    for first, second in exclusive_columns():
        both = said[:, first] & said[:, second]
        first_stays = margins[:, first] >= margins[:, second]
        said[both & first_stays, second] = False
        said[both & ~first_stays, first] = False
    return [tuple(VALUES[column] for column in np.flatnonzero(row)) for row in said]


def constant_caption(table: Table) -> str:
    """The one caption that fits the faces best if all get the same (by micro F1)."""
    shown, known = (table == PRESENT).sum(0), (table != UNKNOWN).sum(0)
    chosen: list[Attribute] = []
    best = 0.0
    for column in np.argsort(-(shown / np.maximum(known, 1)), kind="stable"):
        longer = [*chosen, VALUES[column]]
        text = ", ".join(describe([value]) for value in longer)
        if contradictions(text):
            continue
        columns = [_COLUMNS[value] for value in longer]
        f1 = 2 * shown[columns].sum() / (known[columns].sum() + shown.sum())
        if f1 > best:
            best, chosen = float(f1), longer
    return describe(chosen)
