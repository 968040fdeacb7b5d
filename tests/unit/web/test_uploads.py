"""Uploads: limited while they stream, in memory only."""

import asyncio
import contextlib
import tempfile

import httpx
import pytest

from tests.support.fake_server import picture
from tests.support.web_world import running_web

MEGABYTE = 2**20


async def test_no_form(world):
    """Anything but a form is 415, and says what to send."""
    response = await world.http.post("/predict", content=b"{}")
    assert response.status_code == 415
    assert "multipart/form-data" in response.json()["detail"]


async def test_broken_form(world):
    """A form that cannot be parsed is 400."""
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    response = await world.http.post("/predict", content=b"no boundary here", headers=headers)
    assert response.status_code == 400
    assert response.json()["reason"] == "INVALID_FORM"


async def test_missing_file(world):
    """A form without the file is 422 and names it."""
    response = await world.http.post("/predict", **world.photo(picture(), "picture"))
    assert response.status_code == 422
    assert "'file'" in response.json()["detail"]
    assert world.fake.count("AnalyzePhoto") == 0


async def test_field_in_place_of_a_file(world):
    """A text where the file should be is no file."""
    response = await world.http.post("/predict", files={"file": (None, "text")})
    assert response.status_code == 422


async def test_announced_size_is_refused_unread(fake):
    """A Content-Length over the limit is answered before the body is there."""
    async with running_web(fake, web_max_photo_bytes=MEGABYTE) as world:
        host, port = world.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        )
        status = await reader.readline()
        writer.close()
    assert b" 413 " in status


async def test_stream_is_cut_at_the_limit(fake):
    """A body of unknown length is read up to the limit and no further."""
    sent = 0

    async def endless():
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        while sent < 64 * MEGABYTE:
            yield b"0" * 65536
            sent += 65536

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with running_web(fake, web_max_photo_bytes=MEGABYTE) as world:
        # Either the refusal arrives, or the connection is closed while we still send.
        with contextlib.suppress(httpx.TransportError):
            response = await world.http.post("/predict", content=endless(), headers=headers)
            assert response.status_code == 413
    assert sent < 16 * MEGABYTE
    assert fake.count("AnalyzePhoto") == 0


async def test_file_of_the_limit_passes(fake):
    """The limit is the photo's, without the form around it; one byte more is too much."""
    async with running_web(fake, web_max_photo_bytes=MEGABYTE) as world:
        fits = await world.http.post("/predict", **world.photo(b"0" * MEGABYTE))
        over = await world.http.post("/predict", **world.photo(b"0" * (MEGABYTE + 1)))
    assert fits.status_code == 200
    assert over.status_code == 413
    assert over.json()["reason"] == "PHOTO_TOO_LARGE"


async def test_nothing_touches_the_disk(world, monkeypatch):
    """A photo of many megabytes is never rolled over into a temporary file."""

    def refuse(*_, **__):
        pytest.fail("a temporary file was made")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    response = await world.http.post("/predict", **world.photo(b"0" * 8 * MEGABYTE))
    assert response.status_code == 200


async def test_slow_upload_is_given_up(fake):
    """A client that sends nothing does not hold its place for ever."""
    async with running_web(fake, web_upload_s=0.2) as world:
        host, port = world.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        )
        status = await reader.readline()
        writer.close()
    assert b" 408 " in status
