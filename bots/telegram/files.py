"""What of a message is a picture, and how to get hold of it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from telegram import Bot, Document, Message, PhotoSize
from telegram.error import BadRequest

from bots.core.errors import BadPhoto
from bots.core.media import UnreadableMedia, first_frame
from bots.telegram.persistence import persistently

__all__ = ["MAX_DOWNLOAD_BYTES", "Attachment", "attachment_of", "download"]

log = logging.getLogger(__name__)

MAX_DOWNLOAD_BYTES = 20 * 1024 * 1024
"""What a bot may download from Telegram; also the most that the model server takes."""

_PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".heic", ".heif")
_VIDEO_ENDINGS = (".mp4", ".mov", ".webm", ".mkv")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture, or something with a picture in it.

    Attributes:
        file_id: Of the file at Telegram.
        size: Bytes; 0 where Telegram does not say.
        is_video: The first frame is what counts.
        thumbnail: File id of a small picture of it, where there is one.
    """

    file_id: str
    size: int = 0
    is_video: bool = False
    thumbnail: str | None = None


def attachment_of(message: Message | None) -> Attachment | None:
    """The picture that a message carries, whichever way it was sent."""
    if message is None:
        return None
    if message.photo:
        best = max(message.photo, key=lambda size: size.width * size.height)
        return Attachment(best.file_id, best.file_size or 0)
    if sticker := message.sticker:
        small = _thumbnail(sticker.thumbnail)
        if sticker.is_animated:  # a vector drawing that moves: only its thumbnail is a picture
            return Attachment(small) if small else None
        return Attachment(sticker.file_id, sticker.file_size or 0, sticker.is_video, small)
    moving = message.animation or message.video or message.video_note
    if moving:
        is_gif = getattr(moving, "mime_type", None) == "image/gif"
        return Attachment(
            moving.file_id, moving.file_size or 0, not is_gif, _thumbnail(moving.thumbnail)
        )
    return _of_document(message.document) if message.document else None


def _of_document(document: Document) -> Attachment | None:
    kind = (document.mime_type or "").partition("/")[0]
    name = (document.file_name or "").lower()
    is_video = kind == "video" or name.endswith(_VIDEO_ENDINGS)
    # HEIC often comes as application/octet-stream.
    if kind != "image" and not is_video and not name.endswith(_PICTURE_ENDINGS):
        return None
    small = _thumbnail(document.thumbnail)
    return Attachment(document.file_id, document.file_size or 0, is_video, small)


def _thumbnail(size: PhotoSize | None) -> str | None:
    return size.file_id if size else None


async def download(bot: Bot, attachment: Attachment) -> bytes:
    """The picture's bytes; of a video its first frame, or its thumbnail where that fails.

    Raises:
        BadPhoto: It is too large, or Telegram no longer has it.
    """
    too_large = attachment.size > MAX_DOWNLOAD_BYTES
    if not attachment.is_video:
        if too_large:
            raise BadPhoto("over 20 MB", reason="PHOTO_TOO_LARGE")
        return await _fetch(bot, attachment.file_id)
    if not too_large:
        try:
            video = await _fetch(bot, attachment.file_id)
            return await asyncio.to_thread(first_frame, video)
        except (UnreadableMedia, BadPhoto) as error:
            log.info("no frame of a video: %s", type(error).__name__)
    if attachment.thumbnail:
        return await _fetch(bot, attachment.thumbnail)
    raise BadPhoto("no frame", reason="PHOTO_TOO_LARGE" if too_large else "UNSUPPORTED_FORMAT")


async def _fetch(bot: Bot, file_id: str) -> bytes:
    async def fetch() -> bytes:
        file = await bot.get_file(file_id)
        return bytes(await file.download_as_bytearray())

    try:
        return await persistently(fetch)
    except BadRequest as error:
        big = "too big" in error.message.lower()
        reason = "PHOTO_TOO_LARGE" if big else "CORRUPT_PHOTO"
        raise BadPhoto("Telegram does not give the file", reason=reason) from None
