"""Reading what is sent, in memory only and never more than is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from bots.core.errors import BadPhoto
from bots.web.problems import Problem

__all__ = ["multipart_body", "read_body", "read_photos"]

MARGIN_BYTES = 64 * 1024
"""For the boundaries, headers and small fields of a form."""


class _InMemoryParser(MultiPartParser):
    """Starlette's parser, but files of any size stay in memory: none is ever on disk.

    The stream that it reads is limited already.
    """

    spool_max_size = 2**62


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """The whole body.

    Raises:
        BadPhoto: There is more than ``limit`` bytes.
        Problem: It took longer than ``seconds``.
    """
    async with _in_time(seconds):
        return b"".join([chunk async for chunk in _limited(request, limit)])


async def read_photos(
    request: Request, names: Sequence[str], *, max_bytes: int, seconds: float
) -> tuple[bytes, ...]:
    """The files of a multipart form, in the order of ``names``.

    Args:
        request: Whose body is the form.
        names: Of the form's fields.
        max_bytes: Of each file.
        seconds: That the upload may take.

    Raises:
        BadPhoto: A file is too large.
        Problem: It is no multipart form, is broken, lacks a file, or comes too slowly.
    """
    content_type = request.headers.get("content-type", "")
    if not content_type.lower().startswith("multipart/form-data"):
        raise Problem(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            f"Send multipart/form-data with: {', '.join(names)}.",
        )
    stream = _limited(request, len(names) * max_bytes + MARGIN_BYTES)
    # More parts than asked for may be an honest mistake; they are counted, not kept for long.
    parser = _InMemoryParser(request.headers, stream, max_files=len(names) + 2, max_fields=8)
    try:
        async with _in_time(seconds):
            form = await parser.parse()
    except MultiPartException as error:
        raise Problem(400, "INVALID_FORM", error.message) from None
    photos = []
    try:
        for name in names:
            part = form.get(name)
            if not isinstance(part, UploadFile):
                raise Problem(422, "MISSING_FILE", f"The form has no file named {name!r}.")
            photo = await part.read()
            if len(photo) > max_bytes:
                raise _too_large(max_bytes)
            photos.append(photo)
    finally:
        await form.close()
    return tuple(photos)


def multipart_body(*names: str) -> dict[str, object]:
    """OpenAPI's description of a form with these files."""
    properties = {
        name: {"type": "string", "format": "binary", "description": "The photo's file."}
        for name in names
    }
    schema = {"type": "object", "required": list(names), "properties": properties}
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    }


async def _limited(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    read = 0
    async for chunk in request.stream():
        read += len(chunk)
        if read > limit:
            raise _too_large(limit)
        yield chunk


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise Problem(408, "UPLOAD_TOO_SLOW", "The upload took too long.") from None


def _too_large(limit: int) -> BadPhoto:
    return BadPhoto(f"more than {limit} bytes", reason="PHOTO_TOO_LARGE")
