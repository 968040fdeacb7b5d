"""``lookalike describe``: what is on photos, and whom the faces resemble."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated

import typer

from bots.console.connection import connect
from bots.console.errors import ConsoleError, ExitCode, explain
from bots.console.jsonout import analysis_json
from bots.console.options import Embedded, Server
from bots.console.output import print_json, stderr, stdout
from bots.console.photos import STDIN, expand, read_photo
from bots.console.render import as_answer, print_answer
from bots.console.runner import complain, run
from bots.console.terminal import graphics, language, picture
from bots.console.together import analyze_together
from bots.core.answer import Answer
from bots.core.client import LookalikeClient
from bots.core.errors import BadPhoto, InvalidRequest, ServerFailure, UnsuitablePhoto
from bots.core.languages import Texts, texts_for
from bots.core.portraits import PortraitShelf
from bots.core.render import Renderer
from lookalike.v1 import photo_pb2

__all__ = ["describe"]

_AT_ONCE = 4
_MAX_FACES = 10


@dataclass(frozen=True, slots=True)
class _Wish:
    """What to ask for each photo."""

    top: int
    tags: tuple[str, ...]
    crops: bool


def describe(
    photos: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTO…", help="Image files, folders of them, or - for standard input."
        ),
    ],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a photo.")] = False,
    server: Server = None,
    embedded: Embedded = False,
    top: Annotated[int, typer.Option(min=1, max=50, help="Look-alikes of each face.")] = 5,
    tag: Annotated[
        list[str] | None,
        typer.Option(help="Only celebrities with this tag, such as field:actor; repeatable."),
    ] = None,
    picture_wanted: Annotated[
        bool,
        typer.Option(
            "--picture/--no-picture",
            help="Show the side-by-side picture where the terminal draws sixels or kitty graphics.",
        ),
    ] = True,
    together: Annotated[
        bool,
        typer.Option(
            "--together",
            help="All photos show one person: whom does that person resemble? "
            "The others make the answer about the first one steadier.",
        ),
    ] = False,
) -> None:
    """Say what photos show, what each face is like, and whom it resembles."""
    # Asked before anything is written: the terminal's answer comes through standard input.
    draws = picture_wanted and not json and STDIN not in photos and graphics() is not None
    wish = _Wish(top, tuple(tag or ()), crops=draws)
    work = _describe_together if together else _describe
    run(work(photos, wish, json=json, server=server, embedded=embedded))


async def _describe_together(
    arguments: Iterable[str], wish: _Wish, *, json: bool, server: str | None, embedded: bool
) -> ExitCode:
    names = list(expand(arguments))
    options = photo_pb2.MatchOptions(
        max_matches=wish.top, required_tags=wish.tags, include_crops=wish.crops
    )
    async with connect(server, embedded=embedded) as client:
        response = await analyze_together(client, names, options)
        if json:
            print_json({**analysis_json(names[0], response), "photos": names})
            return ExitCode.OK
        shelf = PortraitShelf(client)
        try:
            answer = as_answer(response, 1)
            title = ", ".join(names)
            await _show(title, answer, wish, shelf=shelf, texts=texts_for(language()))
        finally:
            await shelf.close()
    return ExitCode.OK


async def _describe(
    arguments: Iterable[str], wish: _Wish, *, json: bool, server: str | None, embedded: bool
) -> ExitCode:
    names = list(expand(arguments))
    texts = texts_for(language())
    code = ExitCode.OK
    async with (
        connect(server, embedded=embedded) as client,
        aclosing(_answers(client, names, wish)) as answers,
    ):
        shelf = PortraitShelf(client)
        try:
            async for name, outcome in answers:
                if isinstance(outcome, ConsoleError):
                    complain(outcome)
                    code = outcome.code
                elif json:
                    print_json(analysis_json(name, outcome))
                else:
                    answer = as_answer(outcome, _MAX_FACES)
                    await _show(name, answer, wish, shelf=shelf, texts=texts)
        finally:
            await shelf.close()
    return code


async def _show(
    name: str, answer: Answer, wish: _Wish, *, shelf: PortraitShelf, texts: Texts
) -> None:
    console = stdout()
    card = None
    names: list[str] = []
    if wish.crops and answer.faces:
        with stderr().status("Fetching portraits …"):
            reply = await Renderer(shelf).overview(answer, texts)
        card = picture(reply.picture.content, console) if reply.picture else None
    if card is not None:
        names = [face.face.matches[0].celebrity.name for face in answer.faces if face.face.matches]
    # Those on the card are at hand by now; without a card there is nobody to credit.
    portraits = await shelf.get(names)
    print_answer(console, name, answer, top=wish.top, portraits=portraits, texts=texts, card=card)


async def _answers(
    client: LookalikeClient, names: Iterable[str], wish: _Wish
) -> AsyncGenerator[tuple[str, photo_pb2.AnalyzePhotoResponse | ConsoleError]]:
    """Each photo's answer, or what is wrong with it, in the photos' order; a few at once."""
    running: deque[tuple[str, asyncio.Task[photo_pb2.AnalyzePhotoResponse | ConsoleError]]]
    running = deque()
    waiting = iter(names)
    try:
        while True:
            while len(running) < _AT_ONCE and (name := next(waiting, None)) is not None:
                running.append((name, asyncio.create_task(_one(client, name, wish))))
            if not running:
                return
            name, task = running[0]
            outcome = await task
            running.popleft()
            yield name, outcome
    finally:
        for _, task in running:
            task.cancel()
        await asyncio.gather(*(task for _, task in running), return_exceptions=True)


async def _one(
    client: LookalikeClient, name: str, wish: _Wish
) -> photo_pb2.AnalyzePhotoResponse | ConsoleError:
    """One answer; what only this photo is to blame for does not end the command."""
    try:
        photo = await asyncio.to_thread(read_photo, name)
        return await client.analyze(
            photo, max_matches=wish.top, required_tags=wish.tags, include_crops=wish.crops
        )
    except ConsoleError as error:
        return error
    except (BadPhoto, UnsuitablePhoto, InvalidRequest, ServerFailure) as error:
        code = ExitCode.FAILED if isinstance(error, ServerFailure) else ExitCode.BAD_INPUT
        return ConsoleError(f"{name}: {explain(error)}", code=code)
