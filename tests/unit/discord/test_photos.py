"""Which attachments are photos, and the copies that answers show."""

from __future__ import annotations

import io
from types import SimpleNamespace

import discord
import pytest
from PIL import Image

from bots.core.errors import BadPhoto
from bots.discord.photos import copies_for_message, is_photo, read_photos
from bots.discord.shown import shown_files
from tests.support.fake_server import picture


def attachment(filename="a.jpg", content_type="image/jpeg", size=10, content=b"bytes"):
    async def read():
        if isinstance(content, Exception):
            raise content
        return content

    return SimpleNamespace(
        filename=filename,
        content_type=content_type,
        size=size,
        read=read,
        is_spoiler=lambda: filename.startswith("SPOILER_"),
    )


@pytest.mark.parametrize(
    ("filename", "content_type", "expected"),
    [
        ("a.jpg", "image/jpeg", True),
        ("a.png", "image/png; charset=binary", True),
        ("a.HEIC", None, True),
        ("a.heic", "application/octet-stream", True),
        ("a.mp4", "video/mp4", True),
        ("a.svg", "image/svg+xml", False),
        ("a.pdf", "application/pdf", False),
        ("a", None, False),
    ],
)
def test_photos_are_told_by_type_or_by_name(filename, content_type, expected):
    """Clients do not know the type of HEIC everywhere; drawings are no photos."""
    assert is_photo(attachment(filename, content_type)) is expected


async def test_photos_are_read_in_their_order():
    """Side by side, and still in order."""
    photos = await read_photos([attachment(content=b"1"), attachment(content=b"2")])
    assert photos == [b"1", b"2"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (attachment("a.pdf", "application/pdf"), "UNSUPPORTED_FORMAT"),
        (attachment(size=20 * 2**20 + 1), "PHOTO_TOO_LARGE"),
        (attachment(content=OSError("gone")), "CORRUPT_PHOTO"),
        (attachment("a.mp4", "video/mp4", content=b"no video"), "UNSUPPORTED_FORMAT"),
    ],
)
async def test_what_cannot_be_a_photo_says_why(bad, reason):
    """The reason leads to the words that the person reads; the other photos are read."""
    first, error, last = await read_photos([attachment(), bad, attachment(content=b"last")])
    assert (first, last) == (b"bytes", b"last")
    assert isinstance(error, BadPhoto)
    assert error.reason == reason


async def test_copies_are_small_upright_and_opaque():
    """A large, turned, transparent picture becomes a small, upright, opaque JPEG."""
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGBA", (2000, 1000), (255, 0, 0, 0)).save(buffer, "PNG", exif=exif)
    (copy,) = await copies_for_message([buffer.getvalue()])
    image = Image.open(io.BytesIO(copy))
    assert image.format == "JPEG"
    assert image.size == (320, 640)
    assert min(image.getpixel((10, 10))) > 250
    assert not image.getexif()


async def test_what_pillow_cannot_read_has_no_copy():
    """A broken photo costs the copy, not the answer."""
    whole = picture("red", (300, 300))
    copies = await copies_for_message([b"broken", whole[:200], whole])
    assert len(copies) == 1


def test_files_are_found_in_embeds_too():
    """Discord takes files that an embed shows out of the list of attachments."""
    embed = discord.Embed()
    embed.set_image(url="https://cdn.discordapp.com/attachments/1/2/lookalike.jpg?ex=1&hm=2")
    embed.set_thumbnail(url="https://cdn.discordapp.com/attachments/1/3/photo-1.jpg?ex=1")
    message = SimpleNamespace(attachments=[attachment("SPOILER_photo-2.jpg")], embeds=[embed])
    client = SimpleNamespace(http=SimpleNamespace(get_from_cdn=print))
    found = shown_files(client, message)
    assert [(file.name, file.spoiler, file.is_copy) for file in found] == [
        ("lookalike.jpg", False, False),
        ("photo-1.jpg", False, True),
        ("photo-2.jpg", True, True),
    ]
