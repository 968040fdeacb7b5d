"""Likeness, probabilities and strangers, on people of whom nothing was learned.

Whatever is fitted is fitted on some val people and measured on the others, in turns.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_server.analysis import FloatArray
from model_server.gallery.calibration import Calibration
from model_server.gallery.scoring import Scorer
from training.gallery.features import FaceTable, Strings
from training.gallery.probes import SHOWN, Probes
from training.gallery.reliability import Bin, Numbers, calibration_error, chance_error, reliability
from training.gallery.seed import pair_cosines, reference_rows

__all__ = ["Answers", "Said", "ask", "fold_of", "open_set"]

FOLDS = 5

FPIRS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


@dataclass(frozen=True, slots=True)
class Said:
    """Probabilities that were said, and what is true.

    Attributes:
        probability: Shape (n,).
        same: Shape (n,).
        weight: How much each counts, shape (n,).
    """

    probability: Numbers
    same: npt.NDArray[np.bool_]
    weight: Numbers

    @property
    def error(self) -> float:
        """Expected calibration error."""
        return calibration_error(self.probability, self.same, self.weight)

    @property
    def chance(self) -> float:
        """The error that exact probabilities would show."""
        return chance_error(self.probability, self.weight)

    @property
    def bins(self) -> list[Bin]:
        """By probability."""
        return reliability(self.probability, self.same, self.weight)


@dataclass(frozen=True, slots=True)
class Answers:
    """What val people are told by curves that were fitted on others of them.

    Attributes:
        probes: Who asks.
        likeness: Of everybody's best match among others, shape (N,).
        stranger: P(same) of the matches shown to those who are not enrolled, shape
            (N, SHOWN).
        enrolled: The same to those who are; NaN where the person cannot be.
        right: Which of the matches shown to the enrolled are the person.
        pairs: P(same) of pairs of photos.
    """

    probes: Probes
    likeness: Numbers
    stranger: Numbers
    enrolled: Numbers
    right: npt.NDArray[np.bool_]
    pairs: Said

    def matches(
        self, places: slice = slice(0, 1), among: npt.NDArray[np.bool_] | None = None
    ) -> Said:
        """P(same) of matches, half of those who ask being enrolled.

        Args:
            places: Of the matches shown, best first.
            among: Which probes to look at, shape (N,); None: all.
        """
        among = np.ones(len(self.likeness), bool) if among is None else among
        mated = self.probes.mated & among
        enrolled, right = self.enrolled[mated][:, places], self.right[mated][:, places]
        stranger = self.stranger[among & self.probes.few][:, places]
        return Said(
            np.concatenate([enrolled.ravel(), stranger.ravel()]),
            np.concatenate([right.ravel(), np.zeros(stranger.size, bool)]),
            np.repeat(
                [0.5 / max(enrolled.size, 1), 0.5 / max(stranger.size, 1)],
                [enrolled.size, stranger.size],
            ),
        )


def fold_of(people: Strings) -> npt.NDArray[np.int64]:
    """The part that each person belongs to, the same in every run."""
    return np.array([zlib.crc32(person.encode()) % FOLDS for person in people.tolist()], np.int64)


def ask(table: FaceTable, probes: Probes) -> Answers:
    """Fits the served curves on all parts but one, and asks with that one, in turns."""
    count = len(probes.rows)
    likeness = np.zeros(count)
    stranger = np.zeros((count, SHOWN))
    enrolled = np.full((count, SHOWN), np.nan)
    right = np.zeros((count, SHOWN), bool)
    pairs: list[Said] = []
    best, two, fold = probes.best_other, probes.best_two_others, fold_of(probes.people)
    # One photo a person, lest people with many photos decide.
    single = np.isin(probes.rows, reference_rows(table, probes.rows))
    for part in range(FOLDS):
        fit, test = fold != part, fold == part
        if not (test.any() and (fit & probes.mated).any()):
            continue
        curve = Calibration.fit(*pair_cosines(table, probes.rows[fit]))
        mated = fit & probes.mated
        scorer = Scorer(curve, probes.own[mated], two[mated], two[fit & single])
        pairs.append(_said_of_pairs(curve, *pair_cosines(table, probes.rows[test], seed=1)))
        for place in np.flatnonzero(test).tolist():
            likeness[place] = scorer.likeness(float(best[place]))
            hits, _ = probes.shown(place, enrolled=False)
            _fill(stranger[place], [s.same_person_probability for s in scorer.matches(hits)])
            if probes.mated[place]:
                hits, own = probes.shown(place, enrolled=True)
                _fill(enrolled[place], [s.same_person_probability for s in scorer.matches(hits)])
                right[place, : len(own)] = own
    return Answers(probes, likeness, stranger, enrolled, right, _joined(pairs))


def open_set(probes: Probes) -> list[dict[str, float]]:
    """FNIR at several FPIR, as ISO/IEC 19795-1 and NIST's FRTE 1:N define them.

    FPIR is the share of faces of people who are not enrolled that find somebody at or
    above the threshold; FNIR that of faces of the enrolled whose person is not the best
    match or stays below it. Both are of a few faces of each person.
    """
    best, mated = probes.best_other, probes.mated
    strangers = best[probes.few]
    curve = []
    for fpir in FPIRS:
        threshold = float(np.quantile(strangers, 1 - fpir))
        line = {"fpir": fpir, "threshold": round(threshold, 4)}
        for name, own in (
            ("fnir", probes.own[mated]),
            ("fnir_one_photo", probes.own_of_one[mated]),
        ):
            missed = (own < threshold) | (own <= best[mated])
            line[name] = round(float(missed.mean()), 4)
        curve.append(line)
    return curve


def _fill(row: Numbers, values: Sequence[float]) -> None:
    row[: len(values)] = values


def _said_of_pairs(curve: Calibration, same: FloatArray, different: FloatArray) -> Said:
    cosines = np.concatenate([same, different]).tolist()
    return Said(
        np.array([curve.probability(cosine) for cosine in cosines]),
        np.arange(len(cosines)) < len(same),
        np.repeat(
            [0.5 / max(len(same), 1), 0.5 / max(len(different), 1)], [len(same), len(different)]
        ),
    )


def _joined(parts: Sequence[Said]) -> Said:
    return Said(
        np.concatenate([part.probability for part in parts]),
        np.concatenate([part.same for part in parts]),
        np.concatenate([part.weight for part in parts]),
    )
