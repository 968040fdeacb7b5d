"""One program that is kept running: started, its output shown, stopped in peace."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Program", "RunningProgram"]

Say = Callable[[str, str], None]
"""Shows a line: (name of the program, the line)."""

LINE_BYTES = 2**20


@dataclass(frozen=True)
class Program:
    """What to run.

    Attributes:
        name: As it stands before each line of its output.
        command: The program and its arguments.
        environment: Laid over this process's own.
        stop_s: Seconds that it gets between SIGTERM and SIGKILL.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_s: float = 15.0


class RunningProgram:
    """A program's process; a new one each time that it is started.

    The process has a session of its own, so that Ctrl-C reaches the supervisor alone,
    which then stops everything in order.

    Args:
        program: What to run.
        say: Shows its output.
    """

    def __init__(self, program: Program, say: Say) -> None:
        self.program = program
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._output: asyncio.Task[None] | None = None
        self._started = 0.0

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.returncode is None

    @property
    def uptime_s(self) -> float:
        """Seconds since it was last started."""
        return time.monotonic() - self._started

    async def start(self, command: Sequence[str] | None = None) -> None:
        """Starts the process.

        Args:
            command: In place of the program's own.

        Raises:
            OSError: It cannot be run.
        """
        self._started = time.monotonic()
        self._process = await asyncio.create_subprocess_exec(
            *(command or self.program.command),
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.program.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            limit=LINE_BYTES,
        )
        self._output = asyncio.create_task(self._show(self._process))

    async def wait(self) -> int:
        """The exit status, once it has ended and all its output is shown."""
        if self._process is None:
            raise RuntimeError(f"{self.program.name} was not started")
        status = await self._process.wait()
        if self._output:
            # A grandchild may hold the pipe open for longer; that is not waited for.
            await asyncio.wait({self._output}, timeout=1.0)
        return status

    async def stop(self) -> None:
        """Asks it to end, and ends it where it does not."""
        if not self.running:
            return
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self.program.stop_s):
                await self.wait()
        except TimeoutError:
            self._say(self.program.name, "did not stop in time and is ended")
            self.kill()
            await self.wait()

    def kill(self) -> None:
        """Ends it at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self.running:
            self._process.send_signal(number)

    async def _show(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            return
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                continue  # a line longer than the limit: what was read of it is dropped
            if not line:
                return
            self._say(self.program.name, line.decode(errors="replace").rstrip())
