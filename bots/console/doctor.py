"""``lookalike doctor``: what is installed, configured and reachable."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import platformdirs
import typer
from pydantic import ValidationError
from rich.table import Table

from bots.console.errors import ExitCode, explain
from bots.console.options import Server
from bots.console.output import print_json, stdout, styled
from bots.console.runner import run
from bots.console.terminal import graphics
from bots.core.client import LookalikeClient
from bots.core.errors import ClientError
from bots.core.settings import BotSettings

__all__ = ["Check", "State", "doctor"]


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    NOTE = "note"
    """Missing, but not needed by everyone."""
    BAD = "bad"


_STYLES = {State.OK: "green", State.NOTE: "yellow", State.BAD: "bold red"}


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report.

    Attributes:
        part: "installed", "configured" or "reachable".
        what: What was looked at.
        state: How it came out.
        says: What was found, or what to do.
    """

    part: str
    what: str
    state: State
    says: str


# Module, what it is for, how to get it.
_LIBRARIES = (
    ("openvino", "the model server", 'pip install "lookalike[server]"'),
    ("faiss", "the gallery's index", 'pip install "lookalike[server]"'),
    ("pillow_heif", "HEIC photos", 'pip install "lookalike[server]"'),
    ("telegram", "the Telegram bot", 'pip install "lookalike[bots]"'),
    ("discord", "the Discord bot", 'pip install "lookalike[bots]"'),
    ("fastapi", "the web page", 'pip install "lookalike[bots]"'),
    ("textual_image", "pictures in the terminal", 'pip install "lookalike[bots]"'),
    ("torch", "training", 'pip install "lookalike[training]"'),
)


def doctor(
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    server: Server = None,
) -> None:
    """Say what is installed, configured and reachable."""
    drawn = None if json else graphics()
    run(_doctor(json=json, server=server, drawn=drawn))


async def _doctor(*, json: bool, server: str | None, drawn: str | None) -> ExitCode:
    checks = [*_installed(drawn), *_configured()]
    try:
        settings = BotSettings.load()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(str(part) for part in problem["loc"]) or "settings"
            checks.append(
                Check("configured", f"LOOKALIKE_{name.upper()}", State.BAD, problem["msg"])
            )
    else:
        if server:
            settings = settings.model_copy(update={"server": server})
        checks += [check async for check in _reachable(settings)]
    if json:
        print_json({"checks": [asdict(check) for check in checks]})
    else:
        _print(checks)
    bad = any(check.state is State.BAD for check in checks)
    return ExitCode.FAILED if bad else ExitCode.OK


def _print(checks: list[Check]) -> None:
    console = stdout()
    part = ""
    for check in checks:
        if check.part != part:
            part = check.part
            console.print(part.capitalize(), style="bold")
        table = Table.grid(padding=(0, 1))
        table.add_column(width=4, justify="right")
        table.add_column(width=28)
        table.add_column()
        table.add_row(
            styled(check.state, _STYLES[check.state]), styled(check.what), styled(check.says)
        )
        console.print(table)


def _installed(drawn: str | None) -> Iterator[Check]:
    python = ".".join(str(part) for part in sys.version_info[:3])
    good = sys.version_info >= (3, 11)
    yield Check("installed", "Python", State.OK if good else State.BAD, python)
    yield Check("installed", "lookalike", State.OK, _version("lookalike") or "a checkout")
    for module, purpose, remedy in _LIBRARIES:
        found = find_spec(module) is not None
        says = f"for {purpose}" if found else f"missing, for {purpose}: {remedy}"
        yield Check("installed", module, State.OK if found else State.NOTE, says)
    voice = shutil.which("espeak-ng")
    says = "for speech without Google" if voice else "missing, for speech without Google"
    yield Check("installed", "espeak-ng", State.OK if voice else State.NOTE, says)
    says = f"draws pictures ({drawn})" if drawn else "draws no pictures: answers are text"
    yield Check("installed", "this terminal", State.OK if drawn else State.NOTE, says)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _configured() -> Iterator[Check]:
    for name, purpose in (
        ("LOOKALIKE_TELEGRAM_TOKEN", "the Telegram bot"),
        ("LOOKALIKE_DISCORD_TOKEN", "the Discord bot"),
        ("LOOKALIKE_CONTACT", "portraits from Wikimedia"),
        ("LOOKALIKE_GOOGLE_API_KEY", "portraits from Google, until 2027-01-01"),
    ):
        is_set = _is_set(name)
        says = f"set, for {purpose}" if is_set else f"not set, needed for {purpose}"
        yield Check("configured", name, State.OK if is_set else State.NOTE, says)
    for what, path in (
        ("data folder", platformdirs.user_data_path("lookalike")),
        ("cache folder", platformdirs.user_cache_path("lookalike")),
    ):
        folder = Path(os.environ.get(f"LOOKALIKE_{what.split()[0].upper()}_DIR") or path)
        nearest = next(p for p in (folder, *folder.absolute().parents) if p.exists())
        writable = nearest.is_dir() and os.access(nearest, os.W_OK)
        says = str(folder) if writable else f"{folder} cannot be written"
        yield Check("configured", what, State.OK if writable else State.BAD, says)


def _is_set(name: str) -> bool:
    """In the environment, the .env file, or the folder of secrets; the value is not looked at."""
    if os.environ.get(name):
        return True
    secrets = os.environ.get("LOOKALIKE_SECRETS_DIR")
    if secrets and any((Path(secrets) / n).is_file() for n in (name, name.lower())):
        return True
    try:
        lines = Path(".env").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return False
    return any(line.replace(" ", "").startswith(f"{name}=") for line in lines)


async def _reachable(settings: BotSettings) -> AsyncIterator[Check]:
    where = settings.server
    try:
        client = LookalikeClient.from_settings(settings)
    except OSError as error:
        yield Check("reachable", "TLS files", State.BAD, f"{error.filename}: {error.strerror}")
        return
    async with client:
        if not await client.is_serving(""):
            remedy = 'start one with "make run" or "lookalike-server"'
            yield Check("reachable", "model server", State.BAD, f"none at {where}: {remedy}")
            return
        yield Check("reachable", "model server", State.OK, f"alive at {where}")
        if not await client.is_serving():
            yield Check("reachable", "models", State.BAD, "not loaded (yet): see the server's log")
            return
        yield Check("reachable", "models", State.OK, "loaded and warm")
        began = time.perf_counter()
        try:
            page = await client.list_celebrities(page_size=1)
        except ClientError as error:
            yield Check("reachable", "gallery", State.BAD, explain(error))
            return
        took = (time.perf_counter() - began) * 1000
        people = "celebrity" if page.total_size == 1 else "celebrities"
        state = State.OK if page.total_size else State.NOTE
        yield Check(
            "reachable", "gallery", state, f"{page.total_size} {people}, answered in {took:.0f} ms"
        )
