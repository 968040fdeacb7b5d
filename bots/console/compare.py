"""``lookalike compare``: how alike two people are."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from bots.console.connection import connect
from bots.console.errors import ConsoleError, ExitCode
from bots.console.jsonout import comparison_json
from bots.console.options import Embedded, Server
from bots.console.output import print_json, stdout
from bots.console.photos import STDIN, read_photo
from bots.console.render import print_lines
from bots.console.runner import run
from bots.console.terminal import graphics, language, picture
from bots.core.languages import texts_for
from bots.core.render import Renderer

__all__ = ["compare"]


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="Image file.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Image file.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
    server: Server = None,
    embedded: Embedded = False,
) -> None:
    """Say how alike the largest faces of two photos are."""
    draws = not json and STDIN not in {first, second} and graphics() is not None
    run(_compare(first, second, json=json, draws=draws, server=server, embedded=embedded))


async def _compare(
    first: str, second: str, *, json: bool, draws: bool, server: str | None, embedded: bool
) -> ExitCode:
    if first == second == STDIN:
        raise ConsoleError("Standard input holds one photo only.", code=ExitCode.USAGE)
    photos = [await asyncio.to_thread(read_photo, name) for name in (first, second)]
    async with connect(server, embedded=embedded) as client:
        response = await client.compare(*photos, include_crops=draws)
    if json:
        print_json(comparison_json(first, second, response))
        return ExitCode.OK
    reply = await Renderer.comparison(response, texts_for(language()))
    console = stdout()
    if draws and reply.picture and (shown := picture(reply.picture.content, console)):
        console.print(shown)
    print_lines(console, reply.lines)
    return ExitCode.OK
