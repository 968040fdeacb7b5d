"""Files that a message of ours shows, wherever Discord lists them.

A file that an embed shows is not among the message's attachments: Discord lists it only as
the link of the embed's picture. An edit that wants to keep it has to bring it again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import discord

__all__ = ["COPY_PREFIX", "ShownFile", "shown_files"]

COPY_PREFIX = "photo-"
"""Begins the names of copies of people's photos; other files are cards."""
_SPOILER = "SPOILER_"


@dataclass(frozen=True, slots=True, repr=False)
class ShownFile:
    """A file that a message shows.

    Attributes:
        name: Of the file, without Discord's mark for spoilers.
        spoiler: Whether it is hidden until somebody wants to see it.
        read: Downloads it.
    """

    name: str
    spoiler: bool
    read: Callable[[], Awaitable[bytes]]

    @property
    def is_copy(self) -> bool:
        """Whether it is the copy of a photo."""
        return self.name.startswith(COPY_PREFIX)


def shown_files(client: discord.Client, message: discord.Message) -> list[ShownFile]:
    """The files that the message shows, by name."""
    found: dict[str, ShownFile] = {}
    for attachment in message.attachments:
        name = attachment.filename.removeprefix(_SPOILER)
        found[name] = ShownFile(name, attachment.is_spoiler(), attachment.read)
    for embed in message.embeds:
        for url in (embed.image.url, embed.thumbnail.url):
            name = PurePosixPath(urlsplit(url or "").path).name
            if url and url.startswith("https://") and name not in found:
                found[name] = ShownFile(name, False, partial(client.http.get_from_cdn, url))
    return [found[name] for name in sorted(found)]
