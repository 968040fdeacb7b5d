"""``lookalike celebrities``: who is in the gallery."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from bots.console.connection import connect
from bots.console.errors import ConsoleError, ExitCode, explain
from bots.console.ids import bare_id, full_name, id_if_needed
from bots.console.import_ import import_
from bots.console.jsonout import celebrity_json
from bots.console.options import Embedded, Json, KeepPictures, Server, Tags
from bots.console.output import plain, print_json, stderr, stdout, styled, write_file
from bots.console.photos import expand, read_photo
from bots.console.render import print_lines
from bots.console.runner import complain, run
from bots.console.terminal import graphics, language, picture
from bots.core.errors import NotFound
from bots.core.languages import texts_for
from bots.core.portraits import PortraitShelf
from bots.core.render import Renderer
from lookalike.v1 import celebrity_pb2

__all__ = ["celebrities"]

celebrities = typer.Typer(
    name="celebrities",
    help="Manage the gallery: the people whom faces are compared with.",
    no_args_is_help=True,
)

_PAGE = 500


@celebrities.command("list")
def list_(
    query: Annotated[str, typer.Argument(metavar="[NAME]", help="Part of a name.")] = "",
    *,
    tag: Tags = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 1_000_000,
    json: Json = False,
    server: Server = None,
    embedded: Embedded = False,
) -> None:
    """List celebrities by name; as JSON, one object each."""
    run(_list(query, tag or (), limit, json=json, server=server, embedded=embedded))


async def _list(
    query: str,
    tags: Sequence[str],
    limit: int,
    *,
    json: bool,
    server: str | None,
    embedded: bool,
) -> ExitCode:
    console = stdout()
    left, token, total, shown = limit, "", 0, 0
    async with connect(server, embedded=embedded) as client:
        while left:
            page = await client.list_celebrities(
                query, page_size=min(left, _PAGE), page_token=token, required_tags=tags
            )
            if json:
                for celebrity in page.celebrities:
                    print_json(celebrity_json(celebrity))
            elif page.celebrities:
                console.print(_table(page.celebrities, header=not shown))
            shown += len(page.celebrities)
            left -= len(page.celebrities)
            total, token = page.total_size, page.next_page_token
            if not token:
                break
    if not json:
        more = f", {shown} shown" if shown < total else ""
        stderr().print(f"{total} {'celebrity' if total == 1 else 'celebrities'}{more}.")
    return ExitCode.OK


def _table(page: Sequence[celebrity_pb2.Celebrity], *, header: bool) -> Table:
    # Fixed widths: a page does not know how wide the next one's names are.
    table = Table(box=None, show_header=header, pad_edge=False, header_style="bold")
    table.add_column("Id", width=30, no_wrap=True, overflow="ellipsis")
    table.add_column("Name", width=32, no_wrap=True, overflow="ellipsis")
    table.add_column("Faces", justify="right", width=5)
    table.add_column("Tags", no_wrap=True, overflow="ellipsis")
    for celebrity in page:
        table.add_row(
            styled(bare_id(celebrity.name), "dim"),
            styled(celebrity.display_name),
            str(celebrity.face_count),
            styled(" ".join(celebrity.tags), "dim"),
        )
    return table


@celebrities.command()
def show(
    celebrity: Annotated[str, typer.Argument(metavar="ID", help='Such as "ada-lovelace".')],
    *,
    portrait: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the portrait into this file.")
    ] = None,
    json: Json = False,
    server: Server = None,
    embedded: Embedded = False,
) -> None:
    """Show one celebrity."""
    draws = not json and graphics() is not None
    run(_show(celebrity, portrait, json=json, draws=draws, server=server, embedded=embedded))


async def _show(
    wanted: str,
    portrait: Path | None,
    *,
    json: bool,
    draws: bool,
    server: str | None,
    embedded: bool,
) -> ExitCode:
    async with connect(server, embedded=embedded) as client:
        celebrity = await client.get_celebrity(full_name(wanted))
        if portrait:
            content = (await client.portrait(celebrity.name, width_px=960)).image
            await asyncio.to_thread(write_file, portrait, content)
        if json:
            print_json(celebrity_json(celebrity))
            return ExitCode.OK
        shelf = PortraitShelf(client)
        try:
            reply = await Renderer(shelf).celebrity(celebrity, texts_for(language()))
        finally:
            await shelf.close()
    console = stdout()
    if draws and reply.picture and (shown := picture(reply.picture.content, console)):
        console.print(shown)
    print_lines(console, reply.lines)
    console.print(styled(f"Id: {bare_id(celebrity.name)}", "dim"))
    return ExitCode.OK


@celebrities.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As people write it.")],
    photos: Annotated[list[str], typer.Argument(metavar="PHOTO…", help="One face on each.")],
    *,
    id_: Annotated[str, typer.Option("--id", help="Id; else made from the name.")] = "",
    alias: Annotated[list[str] | None, typer.Option(help="Another name; repeatable.")] = None,
    tag: Tags = None,
    wikidata: Annotated[str, typer.Option(help="Item in Wikidata, such as Q7259.")] = "",
    keep_pictures: KeepPictures = False,
    json: Json = False,
    server: Server = None,
    embedded: Embedded = False,
) -> None:
    """Add a celebrity with all these photos, or not at all."""
    celebrity = celebrity_pb2.Celebrity(
        display_name=name, aliases=alias or (), tags=tag or (), wikidata_id=wikidata
    )
    run(
        _add(
            celebrity, id_, photos, keep=keep_pictures, json=json, server=server, embedded=embedded
        )
    )


async def _add(
    celebrity: celebrity_pb2.Celebrity,
    id_: str,
    photos: Sequence[str],
    *,
    keep: bool,
    json: bool,
    server: str | None,
    embedded: bool,
) -> ExitCode:
    contents = [await asyncio.to_thread(read_photo, name) for name in expand(photos)]
    async with connect(server, embedded=embedded) as client:
        created = await client.create_celebrity(
            celebrity,
            celebrity_id=id_ or id_if_needed(celebrity.display_name),
            photos=[
                celebrity_pb2.CelebrityPhoto(content=content, keep_picture=keep)
                for content in contents
            ],
        )
    if json:
        print_json(celebrity_json(created))
    else:
        faces = f"{created.face_count} {'face' if created.face_count == 1 else 'faces'}"
        stdout().print(styled(f"Added {created.display_name} as {bare_id(created.name)}, {faces}."))
    return ExitCode.OK


@celebrities.command()
def remove(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="As listed.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    server: Server = None,
    embedded: Embedded = False,
) -> None:
    """Remove celebrities with all their faces and pictures."""
    if not yes:
        typer.confirm(f"Remove {', '.join(plain(id_) for id_ in ids)}?", abort=True, err=True)
    run(_remove(ids, server=server, embedded=embedded))


async def _remove(ids: Sequence[str], *, server: str | None, embedded: bool) -> ExitCode:
    code = ExitCode.OK
    async with connect(server, embedded=embedded) as client:
        for id_ in ids:
            try:
                await client.delete_celebrity(full_name(id_))
            except NotFound as error:
                complain(ConsoleError(explain(error)))
                code = ExitCode.BAD_INPUT
            else:
                stdout().print(styled(f"Removed {id_}."))
    return code


celebrities.command("import")(import_)
