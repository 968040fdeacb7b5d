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
from model_server.gallery.top_match import TopMatchCurve

__all__ = ["BestMatches", "Scorer"]

_MAX_RANK = 0.999
"""Ranks end just below 1, which is kept for nobody."""

_NOBODY = -1

_KEPT = 2
"""Matches that are kept of each: the best, and how far behind the second is."""


class BestMatches:
    """The two best matches that each of many reference faces finds in the gallery.

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
        self._own = np.array(own_keys, np.int64)
        self._scores = np.full((len(self._own), _KEPT), -np.inf, np.float32)
        self._keys = np.full((len(self._own), _KEPT), _NOBODY, np.int64)

    @property
    def scores(self) -> FloatArray:
        """Scores of the two, best first, -inf where there is nobody; shape (R, 2)."""
        return self._scores.copy()

    def identify(self, own_keys: Sequence[int]) -> None:
        """Says anew which celebrity each reference person is.

        A person has another key after having been removed and added again: this comes
        before :meth:`change`, which finds the new key among the changed.

        Args:
            own_keys: As for the constructor.
        """
        self._own = np.array(own_keys, np.int64)

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
        # Who lost a match must search again; the others can only find a better one.
        lost = np.isin(self._keys, np.r_[keys, np.array(list(gone), np.int64)]).any(1)
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
        found, places = _largest(scores)
        scores = np.concatenate([self._scores, found], axis=1)
        known = np.concatenate([self._keys, keys[places]], axis=1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :_KEPT]
        self._scores = np.take_along_axis(scores, best, 1)
        self._keys = np.take_along_axis(known, best, 1)

    def _search(self, index: FaceIndex, rows: npt.NDArray[np.intp]) -> None:
        found = index.search(self._reference[rows], _KEPT + 1)
        for row, hits in zip(rows.tolist(), found, strict=True):
            others = [hit for hit in hits if hit.key != self._own[row]][:_KEPT]
            missing = _KEPT - len(others)
            self._scores[row] = [hit.score for hit in others] + [-np.inf] * missing
            self._keys[row] = [hit.key for hit in others] + [_NOBODY] * missing


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
        rivals: Of the same faces the scores of the two best matches among others, best first,
            -inf where there is nobody; shape (n, 2).
        strangers: The same of the reference people, shape (R, 2).
    """

    def __init__(
        self, pairs: Calibration, genuine: FloatArray, rivals: FloatArray, strangers: FloatArray
    ) -> None:
        best_matches = strangers[np.isfinite(strangers[:, 0]), 0]
        self._pairs = pairs
        self._matches = pairs
        self._top: TopMatchCurve | None = None
        if len(genuine) and len(best_matches):
            self._matches = _fit_best(genuine, best_matches)
            self._top = TopMatchCurve.fit(genuine, rivals, strangers)
        self._sorted = np.sort(best_matches.astype(np.float64))
        self._ranks = (np.arange(len(best_matches)) + 0.5) / max(len(best_matches), 1)
        self._spread = max(float(self._sorted.std()), 1e-6) if len(best_matches) else 1.0

    def matches(self, hits: Sequence[Hit]) -> list[Similarity]:
        """How alike a face and the celebrities found for it are.

        A face is of one person only: what speaks for the celebrities before it, best
        first, speaks against a celebrity.

        Args:
            hits: Best first. The first one's probability depends on how far it is ahead of
                the second: leave that out only where there is none.
        """
        similarities: list[Similarity] = []
        not_the_best, odds_so_far = 1.0, 0.0
        for place, hit in enumerate(hits):
            if place == 0:
                probability = self._best_probability(hits)
                not_the_best = 1 - probability
            else:
                odds = self._matches.odds(hit.score)
                odds_so_far += odds
                probability = not_the_best * self._matches.told * odds / (1 + odds_so_far)
            similarities.append(
                Similarity(_cosine(hit.cosine), self.likeness(hit.score), probability)
            )
        return similarities

    def _best_probability(self, hits: Sequence[Hit]) -> float:
        if self._top and len(hits) > 1:
            return self._top.probability(hits[0].score, hits[1].score)
        return self._matches.probability(hits[0].score)

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


def _largest(scores: FloatArray) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """The largest values of each row, :data:`_KEPT` of them, and where they stand.

    Pass by pass, which needs no index as large as the scores; these are lost.
    """
    rows = np.arange(len(scores))
    values, places = [], []
    for _ in range(_KEPT):
        place = scores.argmax(1)
        values.append(scores[rows, place])
        places.append(place)
        scores[rows, place] = -np.inf
    return np.stack(values, axis=1), np.stack(places, axis=1)


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
