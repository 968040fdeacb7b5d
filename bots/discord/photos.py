"""Photos as Discord brings them: which attachments are photos, and reading them at once.

Links to attachments expire, and the photo of a slash command hangs on no message at all.
So bytes are read as soon as a command arrives, and an answer to a command shows a small
copy of the photo, without its metadata: others see what was asked about, and the buttons
find the photo again after a restart of the bot.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Sequence

import discord
from PIL import Image, ImageOps

from bots.core.errors import BadPhoto
from bots.core.media import UnreadableMedia, first_frame
from bots.discord.shown import COPY_PREFIX, shown_files

__all__ = [
    "MAX_PHOTO_BYTES",
    "copies_for_message",
    "copies_in",
    "copy_name",
    "photo_attachments",
    "photos_again",
    "read_photos",
    "source_message",
]

log = logging.getLogger(__name__)

MAX_PHOTO_BYTES = 20 * 2**20
"""What the model server takes; what is larger need not be downloaded."""
MAX_PHOTOS = 10
COPY_SIDE_PX = 640
MAX_COPY_PIXELS = 50_000_000

_EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".heic", ".heif")
_NO_PHOTOS = {"image/svg+xml"}
_UNREADABLE = (
    OSError,
    SyntaxError,  # some of Pillow's readers say so of broken files
    ValueError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,  # where warnings are errors
)


def is_photo(attachment: discord.Attachment) -> bool:
    """Whether the file says that it shows something; clients do not know HEIC everywhere."""
    kind = (attachment.content_type or "").partition(";")[0]
    if kind.startswith("image/"):
        return kind not in _NO_PHOTOS
    return is_video(attachment) or attachment.filename.lower().endswith(_EXTENSIONS)


def is_video(attachment: discord.Attachment) -> bool:
    """Whether the file is a video, of which the first frame is taken as a photo."""
    return (attachment.content_type or "").startswith("video/")


def photo_attachments(message: discord.Message) -> list[discord.Attachment]:
    """The photos of a message, forwarded ones too."""
    found = list(message.attachments)
    for forwarded in message.message_snapshots:
        found.extend(forwarded.attachments)
    return [attachment for attachment in found if is_photo(attachment)][:MAX_PHOTOS]


async def read_photos(attachments: Sequence[discord.Attachment]) -> list[bytes | BadPhoto]:
    """The bytes of the photos, read side by side.

    In place of one that is no photo, too large, or no longer there: the error that says so.
    """
    return list(await asyncio.gather(*(_read(attachment) for attachment in attachments)))


async def _read(attachment: discord.Attachment) -> bytes | BadPhoto:
    if not is_photo(attachment):
        return BadPhoto("no photo", reason="UNSUPPORTED_FORMAT")
    if attachment.size > MAX_PHOTO_BYTES:
        return BadPhoto("too large", reason="PHOTO_TOO_LARGE")
    try:
        content = await attachment.read()
        if is_video(attachment):
            return await asyncio.to_thread(first_frame, content)
    except UnreadableMedia:
        return BadPhoto("no video", reason="UNSUPPORTED_FORMAT")
    except (discord.HTTPException, OSError) as error:
        # The link has expired, the message is gone, or the network is down.
        log.warning("a photo could not be read: %s", type(error).__name__)
        return BadPhoto("could not be read", reason="CORRUPT_PHOTO")
    return content


async def copies_for_message(photos: Sequence[bytes | BadPhoto]) -> list[bytes]:
    """Small JPEGs of the photos without their metadata (their place, their camera).

    A photo that Pillow cannot read, such as HEIC without a plug-in, is left out.
    """
    contents = [photo for photo in photos if isinstance(photo, bytes)]
    made = await asyncio.gather(*(asyncio.to_thread(_copy, content) for content in contents))
    return [copy for copy in made if copy]


def _copy(photo: bytes) -> bytes | None:
    try:
        with Image.open(io.BytesIO(photo)) as image:
            if image.width * image.height > MAX_COPY_PIXELS:
                return None
            scale = min(1.0, COPY_SIDE_PX / max(image.size))
            # JPEGs are decoded at half, a quarter or an eighth where that is enough.
            image.draft("RGB", (round(scale * image.width), round(scale * image.height)))
            ImageOps.exif_transpose(image, in_place=True)
            image.thumbnail((COPY_SIDE_PX, COPY_SIDE_PX), reducing_gap=2.0)
            copy = _on_white(image)
    except _UNREADABLE:
        return None
    buffer = io.BytesIO()
    copy.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _on_white(image: Image.Image) -> Image.Image:
    """The image without transparency."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    opaque = Image.new("RGB", image.size, "white")
    rgba = image.convert("RGBA")
    opaque.paste(rgba, mask=rgba.getchannel("A"))
    return opaque


def copy_name(number: int) -> str:
    """File name of the copy of the photo with that number, counted from 1."""
    return f"{COPY_PREFIX}{number}.jpg"


async def copies_in(client: discord.Client, message: discord.Message) -> list[bytes]:
    """The copies of photos that one of our messages shows, read anew."""
    shown = [file for file in shown_files(client, message) if file.is_copy]
    try:
        return list(await asyncio.gather(*(file.read() for file in shown)))
    except (discord.HTTPException, OSError) as error:
        log.warning("the copy of a photo could not be read: %s", type(error).__name__)
        return []


async def photos_again(client: discord.Client, message: discord.Message) -> list[bytes | BadPhoto]:
    """The photos that one of our messages is about, read anew.

    From the message's own copies, or else from the message that it replies to.

    Returns:
        As :func:`read_photos`; nothing where all are gone.
    """
    if copies := await copies_in(client, message):
        return [*copies]
    source = await source_message(message)
    photos = await read_photos(photo_attachments(source)) if source else []
    return photos if any(isinstance(photo, bytes) for photo in photos) else []


async def source_message(message: discord.Message) -> discord.Message | None:
    """The message that one of ours replies to; None where there is none any more."""
    reference = message.reference
    if reference is None or reference.message_id is None:
        return None
    if isinstance(reference.resolved, discord.Message):
        return reference.resolved
    try:
        return await message.channel.fetch_message(reference.message_id)
    except discord.HTTPException:
        return None
