"""An answer that buttons can turn the pages of: kept in memory for a while, nowhere else."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bots.core.errors import ClientError
from lookalike.v1 import photo_pb2

__all__ = ["Answer", "AnswerCache", "Asker", "Mode", "NumberedFace"]


class Mode(StrEnum):
    """What somebody wants to know about photos."""

    FULL = "full"
    DESCRIBE = "describe"
    """What is on the picture, without look-alikes."""
    LOOKALIKE = "lookalike"
    """Whom the faces resemble, without captions."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, where, and in which language.

    Attributes:
        platform: ``"telegram"``, ``"discord"``, ``"web"`` …
        user: Id of the person on that platform.
        chat: Id of the chat, channel or session.
        language: Tag of the client's language, such as ``"pt-BR"``; None where unknown.
        group: Whether others can see the answer.
    """

    platform: str
    user: str
    chat: str
    language: str | None = None
    group: bool = False

    @property
    def person(self) -> tuple[str, str]:
        """Platform and user, for an id is a platform's own."""
        return self.platform, self.user


@dataclass(frozen=True, slots=True)
class NumberedFace:
    """A face with its place: ``number`` counts from 1 over all photos."""

    number: int
    photo: int
    face: photo_pb2.Face


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What the server said about the photos of one message.

    Attributes:
        key: Names the answer in the data of buttons.
        asker: Who asked.
        photos: In the order in which they were sent, without those that failed.
        faces: Of all photos, numbered.
        hidden_faces: How many more there were than an answer shows.
        more_hidden: Whether there may be still more, for the server stops counting.
        mode: What was asked for.
        comparison: Of the two faces, where there were two photos with a face each.
        together: The face of the one person that all photos show, matched by all of them;
            None where they show several people or nobody.
        spoiler: Hide its pictures until somebody wants to see them.
        failed: What is wrong with the photos that could not be answered, by their place in the
            message, counted from 1.
    """

    key: str
    asker: Asker
    photos: tuple[photo_pb2.AnalyzePhotoResponse, ...]
    faces: tuple[NumberedFace, ...]
    hidden_faces: int = 0
    more_hidden: bool = False
    mode: Mode = Mode.FULL
    comparison: photo_pb2.Similarity | None = None
    together: photo_pb2.Face | None = None
    spoiler: bool = False
    failed: Mapping[int, ClientError] = field(default_factory=dict)

    @property
    def photo_numbers(self) -> tuple[int, ...]:
        """The place of each of ``photos`` in the message, counted from 1."""
        sent = len(self.photos) + len(self.failed)
        return tuple(number for number in range(1, sent + 1) if number not in self.failed)

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        return sum(photo.ByteSize() for photo in self.photos)


def number_faces(
    photos: tuple[photo_pb2.AnalyzePhotoResponse, ...], most: int
) -> tuple[tuple[NumberedFace, ...], int]:
    """The faces to show, numbered, and how many are left out.

    Every photo's largest face comes before any photo's second, so that none is left out
    for another's crowd; numbers go photo by photo, in each from left to right.
    """
    ranked = sorted(
        (rank, index) for index, photo in enumerate(photos) for rank in range(len(photo.faces))
    )
    chosen = sorted((index, photos[index].faces[rank].box.x, rank) for rank, index in ranked[:most])
    faces = tuple(
        NumberedFace(number, index, photos[index].faces[rank])
        for number, (index, _, rank) in enumerate(chosen, start=1)
    )
    return faces, len(ranked) - len(faces)


class AnswerCache:
    """The latest answers, for their buttons; the oldest are dropped first.

    Args:
        most: Answers kept.
        seconds: Each is kept at the most.
        most_bytes: Of all answers.
        clock: Seconds; another one for tests.
    """

    def __init__(
        self,
        most: int,
        seconds: float,
        most_bytes: int = 64 * 2**20,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._clock = clock
        self._bytes = 0
        self._answers: OrderedDict[str, tuple[float, Answer]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def put(self, answer: Answer) -> None:
        """Keeps the answer, and drops what is too old or too much."""
        self.drop(answer.key)
        self._answers[answer.key] = (self._clock(), answer)
        self._bytes += answer.size
        self._tidy()

    def get(self, key: str) -> Answer | None:
        """The answer with that key, if it is still kept."""
        self._tidy()
        entry = self._answers.get(key)
        return entry[1] if entry else None

    def drop(self, key: str) -> None:
        """Forgets the answer with that key."""
        entry = self._answers.pop(key, None)
        if entry:
            self._bytes -= entry[1].size

    def drop_user(self, platform: str, user: str) -> None:
        """Forgets everything that somebody was answered."""
        for key, (_, answer) in list(self._answers.items()):
            if (answer.asker.platform, answer.asker.user) == (platform, user):
                self.drop(key)

    def _tidy(self) -> None:
        oldest_kept = self._clock() - self._seconds
        while self._answers:
            key, (kept, _) = next(iter(self._answers.items()))
            full = len(self._answers) > self._most or self._bytes > self._most_bytes
            if kept > oldest_kept and not full:
                return
            self.drop(key)


def new_key() -> str:
    """A key that nobody guesses."""
    return secrets.token_urlsafe(9)
