"""One person in several photos: ``lookalike describe --together``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bots.console.errors import ConsoleError, ExitCode, explain
from bots.console.photos import read_photo
from bots.core.client import LookalikeClient
from bots.core.errors import BadPhoto, InvalidRequest, UnsuitablePhoto
from lookalike.v1 import photo_pb2

__all__ = ["MOST_PHOTOS", "analyze_together"]

MOST_PHOTOS = 10
"""What the server takes at once."""


async def analyze_together(
    client: LookalikeClient, names: Sequence[str], options: photo_pb2.MatchOptions
) -> photo_pb2.AnalyzePhotoResponse:
    """What the first photo shows, its largest face matched by all photos of the person.

    Raises:
        ConsoleError: A photo cannot be read or used, does not show the person, or there
            are not 2 to 10 of them.
        ClientError: As :meth:`LookalikeClient.analyze`.
    """
    if not 2 <= len(names) <= MOST_PHOTOS:
        raise ConsoleError(
            f"--together needs 2 to {MOST_PHOTOS} photos of one person, not {len(names)}.",
            code=ExitCode.USAGE,
        )
    first, *others = [await asyncio.to_thread(read_photo, name) for name in names]
    try:
        analysis, matched = await asyncio.gather(
            client.analyze(first, max_faces=1, max_matches=1, include_crops=options.include_crops),
            client.match(first, options, additional_photos=others),
        )
    except (BadPhoto, UnsuitablePhoto, InvalidRequest) as error:
        raise ConsoleError(_with_name(explain(error), names), code=ExitCode.BAD_INPUT) from error
    for described, face in zip(analysis.faces, matched.faces, strict=False):
        del described.matches[:]
        described.matches.extend(face.matches)
    del analysis.faces[1:]
    return analysis


def _with_name(message: str, names: Sequence[str]) -> str:
    """The server counts the photos; people know them by their names."""
    for number, name in reversed(list(enumerate(names, start=1))):
        message = message.replace(f"Photo {number} ", f"{name} ")
        message = message.replace(f"in photo {number}:", f"in {name}:")
    return message
