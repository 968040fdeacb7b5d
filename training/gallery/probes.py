"""Faces that ask a gallery in which their person is, and one in which the person is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_server.analysis import FloatArray
from model_server.gallery.hubness import Hubness
from model_server.gallery.index import FaceIndex, Hit
from model_server.gallery.records import PersonFaces
from training.few import few_of_each
from training.gallery.features import FaceTable, Strings
from training.gallery.seed import Enrolled, own_score

__all__ = ["SHOWN", "Probes", "Rows", "index_of", "make_probes"]

SHOWN = 5
"""Matches of a face that are looked at, as many as the server shows by default."""

_OWN_KEY = -1

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Probes:
    """Faces and what they find.

    Attributes:
        rows: Of the faces in the table, shape (N,).
        people: Id of each, shape (N,).
        others: Of each face the best matches among all other people, best first.
        own: Score with the person's other photos enrolled, as the seed has them; NaN
            where there is none, or where the person asks often enough; shape (N,).
        own_of_one: The same with one of the other photos enrolled.
    """

    rows: Rows
    people: Strings
    others: list[list[Hit]]
    own: FloatArray
    own_of_one: FloatArray

    @property
    def few(self) -> npt.NDArray[np.bool_]:
        """The first faces of each person, see :func:`few_of_each`, shape (N,)."""
        return few_of_each(self.people)

    @property
    def mated(self) -> npt.NDArray[np.bool_]:
        """Whose person can be enrolled, shape (N,)."""
        missing: npt.NDArray[np.bool_] = np.isnan(self.own)
        return ~missing

    @property
    def best_other(self) -> FloatArray:
        """Score of the best match among all other people, shape (N,)."""
        return np.array([hits[0].score for hits in self.others], np.float32)

    @property
    def best_two_others(self) -> FloatArray:
        """Scores of the two best matches among all other people, -inf for none, shape (N, 2)."""
        none = [-np.inf] * 2
        scores = [([hit.score for hit in hits] + none)[:2] for hits in self.others]
        return np.array(scores, np.float32).reshape(-1, 2)

    def shown(self, place: int, *, enrolled: bool) -> tuple[list[Hit], npt.NDArray[np.bool_]]:
        """The matches that a face is shown, and which of them are its person.

        Args:
            place: Of the face among the probes.
            enrolled: Whether its person is in the gallery.
        """
        hits = self.others[place]
        if enrolled:
            own = float(self.own[place])
            hits = sorted([*hits, Hit(_OWN_KEY, own, own)], key=lambda hit: -hit.score)[:SHOWN]
        return hits, np.array([hit.key == _OWN_KEY for hit in hits], bool)


def index_of(enrolled: Enrolled, hubness: Hubness) -> FaceIndex:
    """An index of the people; a person's key is the place in ``enrolled.ids``."""
    index = FaceIndex(hubness.reference.shape[1], hubness)
    index.replace(
        [PersonFaces(key, row[None]) for key, row in enumerate(enrolled.vectors)], known=False
    )
    return index


def make_probes(
    table: FaceTable, rows: Rows, index: FaceIndex, ids: Sequence[str], hubness: Hubness
) -> Probes:
    """Asks with every face, once as if its person were not enrolled and once as if.

    Args:
        table: All faces.
        rows: The faces that ask.
        index: The gallery.
        ids: Of the gallery's people by key.
        hubness: Of the gallery.
    """
    people = table.people[rows]
    found = index.search(table.vectors[rows], SHOWN + 1)
    others = [
        [hit for hit in hits if ids[hit.key] != person][:SHOWN]
        for person, hits in zip(people.tolist(), found, strict=True)
    ]
    own = np.full(len(rows), np.nan, np.float32)
    own_of_one = own.copy()
    rng = np.random.default_rng(0)
    for person in np.unique(people):
        places = np.flatnonzero(people == person)
        if len(places) < 2:
            continue
        for place in places[few_of_each(people[places])]:
            rest = rows[places[places != place]]
            probe = table.vectors[rows[place]]
            own[place] = own_score(table, probe, rest, hubness)
            own_of_one[place] = own_score(table, probe, rng.choice(rest, 1), hubness)
    return Probes(rows, people, others, own, own_of_one)
