"""``lookalike card``: the side-by-side picture as a file."""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from bots.console.connection import connect
from bots.console.errors import ConsoleError, ExitCode
from bots.console.options import Embedded, Server
from bots.console.output import stderr, styled, write_file
from bots.console.photos import STDIN, read_photo
from bots.console.render import as_answer
from bots.console.runner import run
from bots.console.terminal import language
from bots.core.languages import texts_for
from bots.core.portraits import PortraitShelf
from bots.core.render import Renderer
from bots.core.wording import credit

__all__ = ["card"]

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def card(
    photo: Annotated[str, typer.Argument(metavar="PHOTO", help="Image file.")],
    *,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE", help=".png, .jpg or .webp; - for standard output."
        ),
    ],
    faces: Annotated[int, typer.Option(min=1, max=10, help="Faces to show.")] = 6,
    server: Server = None,
    embedded: Embedded = False,
) -> None:
    """Draw each face next to the celebrity it resembles most."""
    run(_card(photo, output, faces, server=server, embedded=embedded))


async def _card(
    photo: str, output: str, faces: int, *, server: str | None, embedded: bool
) -> ExitCode:
    file_format = _FORMATS.get(Path(output).suffix.lower()) if output != STDIN else "PNG"
    if file_format is None:
        raise ConsoleError(
            f"{output} should end in {', '.join(sorted(_FORMATS))}.", code=ExitCode.USAGE
        )
    data = await asyncio.to_thread(read_photo, photo)
    async with connect(server, embedded=embedded) as client:
        response = await client.analyze(data, max_faces=faces, max_matches=1, include_crops=True)
        if not response.faces:
            raise ConsoleError(
                f"{photo}: I found no face, so there is nothing to put side by side.",
                hint=f"What it shows: {response.caption.text}.",
                code=ExitCode.BAD_INPUT,
            )
        shelf = PortraitShelf(client, patience_s=10.0)
        try:
            answer = as_answer(response, faces)
            reply = await Renderer(shelf).overview(answer, texts_for(language()))
            portraits = await shelf.get(
                match.celebrity.name for face in response.faces for match in face.matches
            )
        finally:
            await shelf.close()
    if reply.picture is None:
        raise ConsoleError("The picture could not be drawn.")
    await asyncio.to_thread(_write, reply.picture.content, output, file_format)
    if output != STDIN:
        stderr().print(styled(f"Wrote {output}."))
    for portrait in portraits.values():
        if by := credit(portrait):
            stderr().print(styled(f"Portrait: {by}", "dim"))
    return ExitCode.OK


def _write(jpeg: bytes, output: str, file_format: str) -> None:
    content = jpeg
    if file_format != "JPEG":
        buffer = io.BytesIO()
        with Image.open(io.BytesIO(jpeg)) as picture:
            picture.save(buffer, file_format)
        content = buffer.getvalue()
    if output == STDIN:
        sys.stdout.buffer.write(content)
        return
    write_file(Path(output), content)
