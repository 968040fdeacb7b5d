"""``lookalike celebrities import``: a folder of folders into the gallery."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bots.console.connection import connect
from bots.console.errors import ConsoleError, ExitCode, from_client_error
from bots.console.importing import Importer, Person, PersonReport, Skipped, find_people
from bots.console.options import Embedded, KeepPictures, Server, Tags
from bots.console.output import stderr, stdout, styled, write_file
from bots.console.runner import NO_SIGNALS, complain, run

__all__ = ["import_"]

_SHOWN_SKIPS = 20


@dataclass(frozen=True, slots=True)
class _Wish:
    """How to import."""

    tags: tuple[str, ...]
    keep_pictures: bool
    update: bool
    largest_face: bool
    at_once: int


def import_(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Has one folder a person, named like them.")
    ],
    *,
    tag: Tags = None,
    keep_pictures: KeepPictures = False,
    update: Annotated[
        bool, typer.Option("--update", help="Add photos to people who are there already, too.")
    ] = False,
    largest_face: Annotated[
        bool,
        typer.Option(
            "--largest-face",
            help="Of a photo with several faces, take the largest if it is much larger.",
        ),
    ] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what became of everyone as JSON.")
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, max=16, help="People at the same time.")] = 4,
    server: Server = None,
    embedded: Embedded = False,
) -> None:
    """Add everyone in a folder of folders; run it again to continue.

    A file person.json beside the photos may hold display_name, aliases, tags and
    wikidata_id. Ctrl-C finishes those under way and stops; a second one stops at once.
    """
    wish = _Wish(tuple(tag or ()), keep_pictures, update, largest_face, at_once)
    run(_import(folder, wish, report, server=server, embedded=embedded))


async def _import(
    folder: Path, wish: _Wish, report_file: Path | None, *, server: str | None, embedded: bool
) -> ExitCode:
    found = await asyncio.to_thread(lambda: list(find_people(folder, wish.tags)))
    people = [entry for entry in found if isinstance(entry, Person)]
    reports = [entry for entry in found if isinstance(entry, PersonReport)]
    if not people:
        raise ConsoleError(
            f"{folder} has no folder with photos in it.",
            hint="It should have one folder a person, named like the person.",
            code=ExitCode.BAD_INPUT,
        )
    async with connect(server, embedded=embedded) as client:
        importer = Importer(
            client,
            keep_pictures=wish.keep_pictures,
            update=wish.update,
            largest_face=wish.largest_face,
            at_once=wish.at_once,
        )
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        dealt_with = 0
        with Progress(*columns, console=stderr()) as progress, _graceful(importer):
            task = progress.add_task("People", total=len(people))

            def done(report: PersonReport) -> None:
                nonlocal dealt_with
                dealt_with += 1
                reports.append(report)
                progress.advance(task)

            failure = await importer.run(people, done)
    _summarise(reports, len(people) - dealt_with)
    if report_file:
        text = json.dumps([report.to_json() for report in reports], indent=2, ensure_ascii=False)
        write_file(report_file, text.encode("utf-8", "backslashreplace") + b"\n")
    if failure is not None:
        error = from_client_error(failure, client.target)
        hint = f"{error.hint} Then run it again to continue."
        complain(ConsoleError(error.message, hint=hint.strip(), code=error.code))
        return error.code
    if importer.stopped:
        return ExitCode.INTERRUPTED
    return ExitCode.BAD_INPUT if any(report.failed for report in reports) else ExitCode.OK


@contextlib.contextmanager
def _graceful(importer: Importer) -> Iterator[None]:
    """The first Ctrl-C stops after those under way; the second at once."""
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGINT)

    def restore() -> None:
        with contextlib.suppress(*NO_SIGNALS):
            loop.remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, before)  # asyncio.run's own, which cancels

    def stop() -> None:
        importer.stop()
        stderr().print("Finishing those under way … (Ctrl-C again stops at once)")
        restore()

    with contextlib.suppress(*NO_SIGNALS):
        loop.add_signal_handler(signal.SIGINT, stop)
    try:
        yield
    finally:
        restore()


def _summarise(reports: Sequence[PersonReport], left: int) -> None:
    new = sum(bool(report.celebrity) and not report.existed for report in reports)
    existed = sum(report.existed for report in reports)
    nobody = sum(not report.celebrity for report in reports)
    photos = sum(report.added for report in reports)
    console = stdout()
    console.print(styled(f"{_people(new)} added; {photos} photos enrolled.", "bold"))
    if existed:
        console.print(f"{_people(existed)} in the gallery already.")
    if nobody:
        console.print(f"{_people(nobody)} could not be added.")
    if left:
        console.print(f"{_people(left)} left; run it again to continue.")
    _print_skipped([skipped for report in reports for skipped in report.skipped])


def _people(count: int) -> str:
    return f"{count} {'person' if count == 1 else 'people'}"


def _print_skipped(skipped: Sequence[Skipped]) -> None:
    if not skipped:
        return
    console = stdout()
    console.print(f"{len(skipped)} files or folders skipped:")
    if len(skipped) > _SHOWN_SKIPS:
        kinds = Counter(skip.reason.partition(": ")[0] for skip in skipped if ": " in skip.reason)
        for kind, count in kinds.most_common(10):
            console.print(styled(f"  {count} x {kind}"))
    for skip in skipped[:_SHOWN_SKIPS]:
        console.print(styled(f"  {skip.path}: {skip.reason}", "dim"), soft_wrap=True)
    if len(skipped) > _SHOWN_SKIPS:
        rest = len(skipped) - _SHOWN_SKIPS
        console.print(f"  … and {rest} more; --report FILE lists them all.")
