"""The order of things: the server first, bots when it serves; bots stop first, then it.

A program that ends by itself is started again after a pause; the others go on meanwhile,
for bots live through a server that is away for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from bots.supervisor.program import Program, RunningProgram, Say

__all__ = ["CannotStart", "Supervisor"]

POLL_S = 0.1
HEALTHY_S = 60.0
"""A program that ran for so long has not failed at its start."""
FAILURES = 4
"""So many failures at the start in a row, and a program is given up."""
LONGEST_PAUSE_S = 30.0


class CannotStart(Exception):  # noqa: N818 - named as people say it
    """The server ended, or took too long, before it served."""


class Supervisor:
    """Runs a server and its bots until it is told to stop.

    Args:
        server: The model server; it gets the longest time to stop, for it drains.
        bots: Started once the server serves.
        is_serving: Asks the server whether it is ready.
        say: Shows a line.
        start_s: Seconds until the server must serve.
        pause_s: Before a program that ended is started again; doubled each time.
    """

    def __init__(
        self,
        server: Program,
        bots: Sequence[Program],
        *,
        is_serving: Callable[[], Awaitable[bool]],
        say: Say,
        start_s: float = 120.0,
        pause_s: float = 1.0,
    ) -> None:
        self._server = RunningProgram(server, say)
        self._bots = [RunningProgram(bot, say) for bot in bots]
        self._is_serving = is_serving
        self._say = say
        self._start_s = start_s
        self._pause_s = pause_s
        self._stop = asyncio.Event()
        self._killed = False

    def stop(self) -> None:
        """Begins the end; said twice, it ends everything at once."""
        if self._stop.is_set():
            self._killed = True
            for program in (*self._bots, self._server):
                program.kill()
        self._stop.set()

    async def run(self, when_ready: Callable[[], Awaitable[None]]) -> int:
        """Runs everything until :meth:`stop`.

        Args:
            when_ready: Called once the server serves and the bots are started.

        Returns:
            The exit status: 0 where it was told to stop, 1 where the server failed for good.
        """
        stopping = asyncio.create_task(self._stop.wait())
        server: asyncio.Task[None] | None = None
        tasks: list[asyncio.Task[None]] = []
        try:
            try:
                await self._start_server(stopping)
            except CannotStart as error:
                self._say("supervisor", str(error))
                return 1
            if stopping.done():
                return 0
            server = asyncio.create_task(self._keep(self._server))
            for bot in self._bots:
                await bot.start()
                tasks.append(asyncio.create_task(self._keep(bot)))
            ready = asyncio.create_task(_call(when_ready))
            tasks.append(ready)
            await asyncio.wait({server, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return 0 if stopping.done() else 1
        finally:
            self._stop.set()
            for task in (stopping, *tasks, *([server] if server else [])):
                task.cancel()
            await self._stop_all()
            await asyncio.gather(*tasks, *([server] if server else []), return_exceptions=True)

    async def _start_server(self, stopping: asyncio.Task[bool]) -> None:
        try:
            await self._server.start()
        except OSError as error:
            raise CannotStart(f"the server cannot be run: {error.strerror}") from None
        try:
            async with asyncio.timeout(self._start_s):
                while not await self._is_serving():
                    if stopping.done():
                        return
                    if not self._server.running:
                        status = await self._server.wait()
                        raise CannotStart(f"the server ended with status {status}")
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            message = f"the server did not serve within {self._start_s:.0f} s"
            raise CannotStart(message) from None

    async def _keep(self, running: RunningProgram) -> None:
        """Starts the program again whenever it ends; returns when it is given up."""
        name = running.program.name
        failures = 0
        while True:
            status = await running.wait()
            failures = 1 if running.uptime_s > HEALTHY_S else failures + 1
            if failures >= FAILURES:
                self._say("supervisor", f"{name} ended with status {status}; it is given up")
                return
            pause = min(LONGEST_PAUSE_S, self._pause_s * 2 ** (failures - 1))
            self._say("supervisor", f"{name} ended with status {status}; again in {pause:.0f} s")
            await asyncio.sleep(pause)
            await running.start()

    async def _stop_all(self) -> None:
        await asyncio.gather(*(bot.stop() for bot in self._bots))
        await self._server.stop()


async def _call(function: Callable[[], Awaitable[None]]) -> None:
    await function()
