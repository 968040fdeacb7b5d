"""``python -m bots.supervisor``: the model server, the web page, and the bots with a token."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from honcho.colour import get_colours
from honcho.printer import Message, Printer
from pydantic import Field, SecretStr, ValidationError

from bots.core.client import LookalikeClient
from bots.supervisor.program import Program, RunningProgram, Say
from bots.supervisor.supervisor import Supervisor
from bots.web.pages import sample_photo
from bots.web.settings import WebSettings

__all__ = ["main", "readable"]

SERVER_STOP_S = 40.0
"""The server drains for 30 s at the most."""
SAMPLE_S = 60.0
WEB_TRIES, WEB_PAUSE_S = 200, 0.1


class SupervisorSettings(WebSettings):
    """What decides where things listen, and which bots are started."""

    host: str = Field("127.0.0.1", description="Where the model server listens.")
    port: int = Field(50051, ge=0, le=65535, description="Port of the model server.")
    telegram_token: SecretStr | None = None
    discord_token: SecretStr | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until SIGINT or SIGTERM; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bots.supervisor",
        description="Runs the model server, the web page, and the bots whose tokens are set.",
    )
    parser.add_argument("--no-sample", action="store_true", help="show no sample answer")
    options = parser.parse_args(arguments)
    try:
        settings = SupervisorSettings.load()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(str(part) for part in problem["loc"]) or "settings"
            print(f"LOOKALIKE_{name.upper()}: {problem['msg']}", file=sys.stderr)  # noqa: T201
        return 2
    with tempfile.TemporaryDirectory(prefix="lookalike-") as folder:
        return asyncio.run(_run(settings, Path(folder), show_sample=not options.no_sample))


async def _run(settings: SupervisorSettings, folder: Path, *, show_sample: bool) -> int:
    say = _printer()
    # Chosen here: a program that is started again is to be found where it was.
    settings = settings.model_copy(update={"web_port": settings.web_port or _free_port()})
    port = settings.port or _free_port()
    port_file, web_port_file = folder / "port", folder / "web-port"
    address = _address(settings, port)
    server = Program(
        "server",
        (sys.executable, "-m", "model_server", "--port", str(port), "--port-file", str(port_file)),
        stop_s=SERVER_STOP_S,
    )
    bots = _bots(settings, address, web_port_file)
    client = LookalikeClient.from_settings(settings.model_copy(update={"server": address}))

    def bound() -> bool:
        return port_file.exists()

    async def is_serving() -> bool:
        # Without the file, whoever answers at that address is not the server started here.
        return bound() and await client.is_serving()

    async def when_ready() -> None:
        if show_sample:
            await _show_sample(address, say)
        has_page = await _wait_for_web(web_port_file)
        for line in _summary(settings, address, has_page=has_page):
            say("", line)

    supervisor = Supervisor(server, bots, is_serving=is_serving, say=say)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, supervisor.stop)
    try:
        return await supervisor.run(when_ready)
    finally:
        await client.close()
        say("", "stopped")


def _bots(settings: SupervisorSettings, address: str, web_port_file: Path) -> list[Program]:
    environment = {"LOOKALIKE_SERVER": address}
    wanted: dict[str, Sequence[str]] = {
        "web": ("--port", str(settings.web_port), "--port-file", str(web_port_file))
    }
    # A variable that is set to nothing is no token.
    if settings.telegram_token:
        wanted["telegram"] = ()
    if settings.discord_token:
        wanted["discord"] = ()
    return [
        Program(name, (sys.executable, "-m", f"bots.{name}", *arguments), environment)
        for name, arguments in wanted.items()
    ]


def _address(settings: SupervisorSettings, port: int) -> str:
    """Where bots find the server; a name that its certificate is made for must be set."""
    if "server" in settings.model_fields_set:
        return settings.server
    everywhere = settings.host in {"0.0.0.0", "::", ""}  # noqa: S104 - compared, not bound
    return f"{'127.0.0.1' if everywhere else settings.host}:{port}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _show_sample(address: str, say: Say) -> None:
    """The answer about scikit-image's astronaut, as the terminal client prints it."""
    photo = sample_photo()
    if photo is None:
        say("sample", "no sample photo: install the extra [sample]")
        return
    describe = Program(
        "sample",
        (sys.executable, "-m", "bots.console", "describe", str(photo), "--server", address),
        {"COLUMNS": "100"},
    )
    running = RunningProgram(describe, say)
    try:
        await running.start()
        async with asyncio.timeout(SAMPLE_S):
            status = await running.wait()
    except TimeoutError:
        status = -1
    finally:
        await running.stop()
    if status != 0:
        say("sample", "the sample photo was not answered; see above")


async def _wait_for_web(port_file: Path) -> bool:
    """Until the page can be opened; False where it has had time enough.

    As with the server, whoever answers at its port without that file is another program.
    """
    for _ in range(WEB_TRIES):
        if port_file.exists():  # noqa: ASYNC240 - asks for a name only
            return True
        await asyncio.sleep(WEB_PAUSE_S)
    return False


def _reachable(settings: WebSettings) -> str:
    everywhere = settings.web_host in {"0.0.0.0", "::", ""}  # noqa: S104 - compared, not bound
    return "127.0.0.1" if everywhere else settings.web_host


def _summary(settings: SupervisorSettings, address: str, *, has_page: bool) -> list[str]:
    page = f"http://{_reachable(settings)}:{settings.web_port}"
    describe = Path(sys.executable).with_name("lookalike")
    lines = [
        "",
        "Lookalike is ready.",
        *(
            (f"  web page   {page}", f"  REST API   {page}/docs")
            if has_page
            else (f"  web page   not there; see above. Is port {settings.web_port} taken?",)
        ),
        f"  gRPC       {address}",
        f"  terminal   {_short(describe)} describe PHOTO",
    ]
    for name, token in (("Telegram", settings.telegram_token), ("Discord", settings.discord_token)):
        variable = f"LOOKALIKE_{name.upper()}_TOKEN"
        state = "runs" if token else f"set {variable} and start again"
        lines.append(f"  {name:<10} {state}")
    return [*lines, "Ctrl-C stops everything.", ""]


def _short(path: Path) -> Path:
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


def _printer() -> Say:
    printer = Printer(sys.stdout, width=len("supervisor"))
    colours = get_colours()
    chosen: dict[str, str] = {}

    def say(name: str, line: str) -> None:
        if not name:
            print(line, flush=True)  # noqa: T201
            return
        if name not in chosen:
            chosen[name] = next(colours)
        now = datetime.now().astimezone()
        printer.write(Message("line", readable(line) or " ", now, name, chosen[name]))

    return say


def readable(line: str) -> str:
    """A line of the server's JSON log in words; any other line as it is.

    >>> readable('{"level": "INFO", "message": "serving", "port": 50051}')
    'serving port=50051'
    """
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict) or "message" not in entry:
        return line
    level = entry.pop("level", "INFO")
    words = [] if level == "INFO" else [str(level)]
    words.append(str(entry.pop("message")))
    words += [f"{key}={value}" for key, value in entry.items() if key not in {"time", "logger"}]
    return " ".join(words)


if __name__ == "__main__":
    sys.exit(main())
