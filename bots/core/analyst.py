"""What the model server is asked about the photos of one message."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from bots.core.answer import Answer, Asker, Mode, new_key, number_faces
from bots.core.client import LookalikeClient
from bots.core.errors import BadPhoto, ClientError
from bots.core.limits import FairQueue, QueueFull
from lookalike.v1 import photo_pb2

__all__ = ["FACES", "MATCHES", "Analyst"]

log = logging.getLogger(__name__)

FACES = 11
"""Faces asked for in a photo: one more than an answer can show, to tell that there are more."""

MATCHES = 10
"""Look-alikes asked for, so that pages need no second call."""

_ONE_PERSON = 0.5
"""Two photos are matched together from this probability on that they show one person."""

_Analyzed = tuple[bytes, photo_pb2.AnalyzePhotoResponse]


class Analyst:
    """Asks about photos side by side, each call in its asker's turn.

    Args:
        client: Of the model server.
        queue: Shares the turns out.
        max_faces: That an answer shows.
    """

    def __init__(self, client: LookalikeClient, queue: FairQueue, max_faces: int) -> None:
        self._client = client
        self._queue = queue
        self._max_faces = max_faces

    async def ask(
        self, asker: Asker, photos: Sequence[bytes | BadPhoto], mode: Mode, key: str = ""
    ) -> Answer:
        """What there is to say about the photos of one message.

        Two photos with a face each are compared as well, several photos of one person matched
        together; where that fails, the answer does without.

        Args:
            asker: Whose turns it takes.
            photos: In their order; in place of one that cannot be had, the error that says why.
            mode: What is wanted.
            key: Of the answer; empty for a new one.

        Raises:
            ClientError: The first photo's, where none can be answered.
            QueueFull: The asker has too many photos waiting.
        """
        results = await self._analyze_all(asker, photos)
        usable = [result for result in results if not isinstance(result, ClientError)]
        failed = {
            # An error's frames hold the photo, and answers are kept for a while.
            number: result.with_traceback(None)
            for number, result in enumerate(results, start=1)
            if isinstance(result, ClientError)
        }
        if failed and not usable:
            raise next(iter(failed.values()))
        for error in failed.values():
            log.warning("%s: a photo of several: %s", asker.platform, error.reason)
        contents = [photo for photo, _ in usable]
        responses = tuple(response for _, response in usable)
        comparison = None
        if len(responses) == 2 and all(response.faces for response in responses):
            comparison = await self._compare(asker, *contents)
        together = None
        if mode is not Mode.DESCRIBE and _may_be_one_person(responses, comparison):
            together = await self._match_together(asker, contents)
        faces, hidden = number_faces(responses, self._max_faces)
        return Answer(
            key=key or new_key(),
            asker=asker,
            photos=responses,
            faces=faces,
            hidden_faces=hidden,
            more_hidden=any(len(response.faces) >= FACES for response in responses),
            mode=mode,
            comparison=comparison,
            together=together,
            failed=failed,
        )

    async def _analyze_all(
        self, asker: Asker, photos: Sequence[bytes | BadPhoto]
    ) -> list[_Analyzed | ClientError]:
        """Each photo with what the server says about it, or what is wrong with it.

        Raises:
            QueueFull: They are too many; those already begun are given up.
        """
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._analyze(asker, photo)) for photo in photos]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _analyze(self, asker: Asker, photo: bytes | BadPhoto) -> _Analyzed | ClientError:
        if isinstance(photo, BadPhoto):
            return photo
        try:
            async with self._queue.turn(asker.person):
                response = await self._client.analyze(
                    photo, max_faces=FACES, max_matches=MATCHES, include_crops=True
                )
        except ClientError as error:
            return error
        return photo, response

    async def _compare(
        self, asker: Asker, first: bytes, second: bytes
    ) -> photo_pb2.Similarity | None:
        """How alike the faces are; None where that cannot be had: the answer does without."""
        try:
            async with self._queue.turn(asker.person):
                return (await self._client.compare(first, second)).similarity
        except (ClientError, QueueFull):
            return None

    async def _match_together(self, asker: Asker, photos: Sequence[bytes]) -> photo_pb2.Face | None:
        """The one person of all photos; None where they show several, or it cannot be had."""
        options = photo_pb2.MatchOptions(max_faces=1, max_matches=MATCHES)
        try:
            async with self._queue.turn(asker.person):
                response = await self._client.match(
                    photos[0], options, additional_photos=photos[1:]
                )
        except (ClientError, QueueFull):
            return None
        return response.faces[0] if response.faces else None


def _may_be_one_person(
    photos: Sequence[photo_pb2.AnalyzePhotoResponse], comparison: photo_pb2.Similarity | None
) -> bool:
    """Whether it is worth asking: one face in each photo, and two that were compared alike."""
    if len(photos) < 2 or any(len(photo.faces) != 1 for photo in photos):
        return False
    return comparison is None or comparison.same_person_probability >= _ONE_PERSON
