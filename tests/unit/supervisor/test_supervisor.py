"""Real processes, small ones: who starts when, who stops first, who is started again."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from bots.supervisor.program import Program
from bots.supervisor.supervisor import Supervisor

# Writes what happens to it into a journal that all programs share.
SCRIPT = """
import os, signal, sys, time
name, journal, mode = sys.argv[1:4]
def note(what):
    descriptor = os.open(journal, os.O_APPEND | os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, f"{name} {what}\\n".encode())
    os.close(descriptor)
def stop(*_):
    if mode == "stubborn":
        note("asked")
        return
    time.sleep(0.1)
    note("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
note("started")
print(name, "says hello", flush=True)
if mode == "fails":
    sys.exit(3)
while True:
    time.sleep(0.05)
"""


class World:
    """Programs, their journal, and a supervisor over them."""

    def __init__(self, folder: Path):
        self.path = folder / "journal"
        self.lines = []

    def program(self, name, mode="runs", stop_s=10.0):
        command = (sys.executable, "-c", SCRIPT, name, str(self.path), mode)
        return Program(name, command, stop_s=stop_s)

    def supervisor(self, server, *bots, **options):
        return Supervisor(
            server,
            bots,
            is_serving=self.is_serving,
            say=lambda name, line: self.lines.append((name, line)),
            **{"pause_s": 0.05, "start_s": 10.0, **options},
        )

    @property
    def journal(self):
        return self.path.read_text().splitlines() if self.path.exists() else []

    async def is_serving(self):
        return "server started" in self.journal

    async def until(self, what, times=1):
        while True:
            if self.journal.count(what) >= times:
                return
            await asyncio.sleep(0.02)

    async def until_said(self, name, start):
        while True:
            if any(who == name and line.startswith(start) for who, line in self.lines):
                return
            await asyncio.sleep(0.02)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


async def nothing():
    pass


async def test_server_first_and_last(world):
    """Bots start when the server serves; at the end they are gone before it is asked to stop."""
    supervisor = world.supervisor(
        world.program("server"), world.program("web"), world.program("telegram")
    )
    running = asyncio.create_task(supervisor.run(nothing))
    await world.until("web started")
    await world.until("telegram started")
    assert world.journal[0] == "server started"
    supervisor.stop()
    assert await running == 0
    ended = [line.split()[0] for line in world.journal if line.endswith("stopped")]
    assert sorted(ended[:2]) == ["telegram", "web"]
    assert ended[2:] == ["server"]


async def test_output_is_shown_by_name(world):
    """What a program prints is shown with its name."""
    supervisor = world.supervisor(world.program("server"), world.program("web"))
    running = asyncio.create_task(supervisor.run(nothing))
    await world.until_said("web", "web says hello")
    supervisor.stop()
    await running
    assert ("server", "server says hello") in world.lines


async def test_ready_is_called_once_bots_are_started(world):
    """The summary comes after the bots."""
    seen = []

    async def ready():
        seen.append(True)

    supervisor = world.supervisor(world.program("server"), world.program("web"))
    running = asyncio.create_task(supervisor.run(ready))
    await world.until("web started")
    supervisor.stop()
    await running
    assert seen == [True]


async def test_a_bot_that_ends_is_started_again(world):
    """A bot that dies comes back; the server stays."""
    supervisor = world.supervisor(world.program("server"), world.program("web"))
    running = asyncio.create_task(supervisor.run(nothing))
    await world.until("web started")
    supervisor._bots[0].kill()
    await world.until("web started", times=2)
    supervisor.stop()
    assert await running == 0
    assert world.journal.count("server started") == 1


async def test_a_server_that_ends_is_started_again(world):
    """The bots live on while the server is away."""
    supervisor = world.supervisor(world.program("server"), world.program("web"))
    running = asyncio.create_task(supervisor.run(nothing))
    await world.until("web started")
    supervisor._server.kill()
    await world.until("server started", times=2)
    supervisor.stop()
    assert await running == 0
    assert world.journal.count("web started") == 1


async def test_a_bot_that_always_fails_is_given_up(world):
    """A wrong token ends one bot, not the others."""
    supervisor = world.supervisor(
        world.program("server"), world.program("discord", "fails"), world.program("web")
    )
    running = asyncio.create_task(supervisor.run(nothing))
    await world.until_said("supervisor", "discord ended with status 3; it is given up")
    assert world.journal.count("discord started") == 4
    assert not running.done()
    supervisor.stop()
    assert await running == 0
    assert "web stopped" in world.journal


async def test_a_server_that_never_serves(world):
    """Where the server cannot start nothing else does, and the status says so."""
    supervisor = world.supervisor(world.program("other", "fails"), world.program("web"))
    assert await supervisor.run(nothing) == 1
    assert world.journal == ["other started"]
    assert ("supervisor", "the server ended with status 3") in world.lines


async def test_a_server_that_takes_too_long(world):
    """The wait for the server has an end, and it is not left behind."""
    supervisor = world.supervisor(world.program("other"), start_s=1.0)
    assert await supervisor.run(nothing) == 1
    assert not supervisor._server.running


async def test_a_server_that_cannot_be_run(world):
    """A missing program is no traceback."""
    supervisor = world.supervisor(Program("server", ("/nowhere/at/all",)))
    assert await supervisor.run(nothing) == 1


async def test_stopped_while_the_server_starts(world):
    """Ctrl-C need not wait until everything is up."""
    supervisor = world.supervisor(world.program("other"), world.program("web"))
    running = asyncio.create_task(supervisor.run(nothing))
    await world.until("other started")
    supervisor.stop()
    assert await running == 0
    assert world.journal == ["other started", "other stopped"]


async def test_what_does_not_stop_is_ended(world):
    """A program that ignores SIGTERM holds nobody up for ever."""
    supervisor = world.supervisor(
        world.program("server"), world.program("web", "stubborn", stop_s=0.3)
    )
    running = asyncio.create_task(supervisor.run(nothing))
    await world.until("web started")
    supervisor.stop()
    assert await running == 0
    assert "web asked" in world.journal
    assert world.journal[-1] == "server stopped"


async def test_a_second_stop_waits_for_nobody(world):
    """Ctrl-C twice ends everything at once."""
    supervisor = world.supervisor(world.program("server"), world.program("web", "stubborn"))
    running = asyncio.create_task(supervisor.run(nothing))
    await world.until("web started")
    pids = [running._process.pid for running in (*supervisor._bots, supervisor._server)]
    supervisor.stop()
    await world.until("web asked")
    supervisor.stop()
    await running
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert "server stopped" not in world.journal


async def test_programs_are_out_of_reach_of_ctrl_c(world):
    """Each has a session of its own: the terminal's Ctrl-C reaches the supervisor only."""
    supervisor = world.supervisor(world.program("server"))
    running = asyncio.create_task(supervisor.run(nothing))
    await world.until("server started")
    pid = supervisor._server._process.pid
    assert os.getsid(pid) == pid
    supervisor.stop()
    await running
