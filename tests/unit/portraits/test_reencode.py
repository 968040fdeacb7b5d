"""Pictures of strangers, decoded and written anew."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from model_server.portraits.portrait import PortraitProviderError
from model_server.portraits.reencode import MAX_PICTURE_BYTES, to_portrait_jpeg


def opened(data):
    """The picture as Pillow reads it."""
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        return picture


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF"])
def test_every_format_becomes_a_jpeg_of_the_width(jpeg, file_format):
    """Whatever comes, bots get a JPEG they can show."""
    picture = opened(to_portrait_jpeg(jpeg(800, 1000, file_format), 330))
    assert (picture.format, picture.size) == ("JPEG", (330, 412))


def test_small_pictures_are_not_blown_up(jpeg):
    """Width is a wish; pixels are not made up."""
    assert opened(to_portrait_jpeg(jpeg(180, 240), 330)).size == (180, 240)


def test_tall_pictures_lose_their_lower_part(jpeg):
    """Of a full figure the head is what counts."""
    assert opened(to_portrait_jpeg(jpeg(200, 900), 250)).size == (200, 400)


def test_nothing_but_the_picture_survives():
    """Metadata and bytes behind the end of the picture are gone."""
    picture = Image.new("RGB", (300, 300), "red")
    exif = Image.Exif()
    exif[0x010E] = "a secret description"
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif, comment=b"a secret comment")
    clean = to_portrait_jpeg(buffer.getvalue() + b"PK a secret archive", 330)
    assert b"secret" not in clean
    assert not opened(clean).getexif()


def bomb():
    """A PNG of 30,000 x 30,000 pixels in a few kilobytes."""

    def chunk(kind, data):
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(30_001) * 8)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "data",
    [b"", b"<html>", b"<svg xmlns='http://www.w3.org/2000/svg'/>", bomb()],
    ids=["empty", "html", "svg", "bomb"],
)
def test_what_is_no_usable_picture_is_an_error(data):
    """Nothing passes that was not decoded."""
    with pytest.raises(PortraitProviderError, match="unusable"):
        to_portrait_jpeg(data, 330)


def test_half_a_picture_is_an_error(jpeg):
    """A truncated download is not shown."""
    with pytest.raises(PortraitProviderError, match="unusable"):
        to_portrait_jpeg(jpeg()[:700], 330)


def test_too_many_bytes_are_an_error(jpeg):
    """The bound of downloads holds for the gallery's pictures too."""
    with pytest.raises(PortraitProviderError, match="unusable"):
        to_portrait_jpeg(jpeg() + bytes(MAX_PICTURE_BYTES), 330)
