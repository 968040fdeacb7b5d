"""From cosine to scores that people understand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from model_server.analysis import FloatArray, Similarity
from model_server.gallery.calibration import Calibration
from model_server.gallery.hubness import Hubness
from model_server.gallery.index import FaceIndex, Hit
from model_server.gallery.records import PersonFaces

__all__ = ["BestMatches", "Scorer"]

_MAX_RANK = 0.999
"""Ranks end just below 1, which is kept for nobody."""

_NOBODY = -1


class BestMatches:
    """The best match that each of many reference people finds in the gallery.

    Kept up to date at the cost of the change, not of the gallery. A reference person
    who is in the gallery counts as one who is not: the person's own faces are passed over.

    Args:
        hubness: For the bias of a face; made from other people than the reference, who
            would else find their best matches marked down for being theirs.
        reference: Unit rows, shape (R, D).
        own_keys: Key in the gallery of each reference person, -1 where there is none.
    """

    def __init__(self, hubness: Hubness, reference: FloatArray, own_keys: Sequence[int]) -> None:
        self._hubness = hubness
        self._reference = reference
        self._own: npt.NDArray[np.int64] = np.array(own_keys, np.int64)
        self._scores = np.full(len(self._own), -np.inf, np.float32)
        self._keys = np.full(len(self._own), _NOBODY, np.int64)

    @property
    def scores(self) -> FloatArray:
        """Score of each best match; shape (R,), or fewer where nobody else is there."""
        return self._scores[np.isfinite(self._scores)]

    def search_all(self, index: FaceIndex) -> None:
        """Searches the whole gallery."""
        self._search(index, np.arange(len(self._own)))

    def change(
        self, index: FaceIndex, people: Iterable[PersonFaces], gone: Iterable[int] = ()
    ) -> None:
        """Takes a change in that the index has seen already.

        Args:
            index: The gallery.
            people: Celebrities whose faces changed, with all their faces.
            gone: Keys of the celebrities who were removed.
        """
        changed = list(people)
        keys = np.array([person.key for person in changed], np.int64)
        # Who lost the best match must search again; the others can only find a better one.
        lost = np.isin(self._keys, np.r_[keys, np.array(list(gone), np.int64)])
        filled = [person for person in changed if len(person.vectors)]
        if filled:
            self._improve(filled)
        if lost.any():
            self._search(index, np.flatnonzero(lost))

    def _improve(self, people: Sequence[PersonFaces]) -> None:
        vectors = np.concatenate([person.vectors for person in people])
        counts = np.array([len(person.vectors) for person in people])
        starts = np.r_[0, np.cumsum(counts)[:-1]]
        keys = np.array([person.key for person in people], np.int64)
        bias = self._hubness.bias(vectors, starts)
        cosines = self._reference @ vectors.T
        scores = np.maximum.reduceat(cosines, starts, axis=1) - bias
        scores[self._own[:, None] == keys[None, :]] = -np.inf
        best = scores.argmax(1)
        found = scores[np.arange(len(best)), best]
        better = found > self._scores
        self._scores[better] = found[better]
        self._keys[better] = keys[best[better]]

    def _search(self, index: FaceIndex, rows: npt.NDArray[np.intp]) -> None:
        found = index.search(self._reference[rows], 2)
        for row, hits in zip(rows.tolist(), found, strict=True):
            other = next((hit for hit in hits if hit.key != self._own[row]), None)
            self._scores[row] = other.score if other else -np.inf
            self._keys[row] = other.key if other else _NOBODY


class Scorer:
    """Likeness and P(same person).

    Likeness ranks a similarity among the best-match similarities of people who are not
    in the gallery, so that 50 means "as alike as the average person's best".

    Between thousands of people somebody is always rather alike. P(same person) of a
    match therefore asks whether the best score of all is the person's own or the best of
    all others, where it is as likely as not that the person is in the gallery; that of a
    comparison weighs two random people.

    Args:
        pairs: P(same person) of two faces by their cosine.
        genuine: Scores that people reach with another photo of their own; may be empty.
        best_matches: Score of the best match of each reference person, any order.
    """

    def __init__(self, pairs: Calibration, genuine: FloatArray, best_matches: FloatArray) -> None:
        self._pairs = pairs
        self._matches = pairs
        if len(genuine) and len(best_matches):
            self._matches = _fit_best(genuine, best_matches)
        self._sorted = np.sort(best_matches.astype(np.float64))
        self._ranks = (np.arange(len(best_matches)) + 0.5) / max(len(best_matches), 1)
        self._spread = max(float(self._sorted.std()), 1e-6) if len(best_matches) else 1.0

    def matches(self, hits: Sequence[Hit]) -> list[Similarity]:
        """How alike a face and the celebrities found for it are.

        A face is of one person only: what speaks for the celebrities before it, best
        first, speaks against a celebrity. The best one's probability does not depend on
        how many are asked for.
        """
        similarities: list[Similarity] = []
        odds_so_far = 0.0
        for hit in hits:
            odds = self._matches.odds(hit.score)
            odds_so_far += odds
            # What is not told by similarity may speak for the best match, and for no other.
            guess = 0.0 if similarities else self._matches.guess
            similarities.append(
                Similarity(
                    cosine=_cosine(hit.cosine),
                    likeness=self.likeness(hit.score),
                    same_person_probability=guess + self._matches.told * odds / (1 + odds_so_far),
                )
            )
        return similarities

    def pair(self, cosine: float, bias: float) -> Similarity:
        """How alike two faces are that were not searched for.

        Args:
            cosine: Of both.
            bias: Mean of what would be taken off for either of them, see ``hubness``.
        """
        return Similarity(
            cosine=_cosine(cosine),
            likeness=self.likeness(cosine - bias),
            same_person_probability=self._pairs.probability(cosine),
        )

    def likeness(self, score: float) -> float:
        """0..100, rising with the score everywhere.

        Between the reference's values the rank is interpolated. Below and above them it
        falls and rises on smoothly, so that no two different similarities tie.
        """
        reference, ranks = self._sorted, self._ranks
        if not len(reference):
            # An empty gallery has no best matches to rank among.
            return float(np.clip(50.0 * (score + 1), 0, 100 * _MAX_RANK))
        low, high = float(reference[0]), float(reference[-1])
        if score < low:
            rank = float(ranks[0] * np.exp((score - low) / self._spread))
        elif score > high:
            top = max(_MAX_RANK, float(ranks[-1]))
            rank = float(top - (top - ranks[-1]) * np.exp((high - score) / self._spread))
        else:
            rank = float(np.interp(score, reference, ranks))
        return 100 * rank


def _fit_best(genuine: FloatArray, best_matches: FloatArray) -> Calibration:
    """P(same person) of the best match of all by its score.

    Whoever is enrolled meets both an own score and a best match among the others; only
    the higher one is the best of all. Either is taken to say nothing of the other, so
    that every own score stands against every best match.
    """
    own, other = np.sort(genuine), np.sort(best_matches)
    wins = np.searchsorted(other, genuine) / len(other)
    losses = np.searchsorted(own, best_matches) / len(own)
    return Calibration.fit_with_lapses(genuine, best_matches, wins, 1 + losses)


def _cosine(value: float) -> float:
    # Float16 embeddings of one photo may reach a little beyond 1.
    return float(np.clip(value, -1.0, 1.0))
