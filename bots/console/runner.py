"""From a typer command into asyncio and back, with exit codes in place of stack traces."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Coroutine

import typer
from pydantic import ValidationError

from bots.console.errors import ConsoleError, ExitCode
from bots.console.output import stderr, styled

__all__ = ["NO_SIGNALS", "complain", "run"]

NO_SIGNALS = (NotImplementedError, RuntimeError, ValueError)
"""What an event loop raises that takes no signals: on Windows, and beside the main thread.
Python's own way of ending on Ctrl-C is left then."""


def run(command: Coroutine[None, None, ExitCode]) -> None:
    """Runs the command and leaves with its code.

    Raises:
        typer.Exit: Always, unless all went well.
    """
    try:
        code = asyncio.run(_interruptible(command))
    except ConsoleError as error:
        complain(error)
        code = error.code
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(str(part) for part in problem["loc"]) or "settings"
            stderr().print(styled(f"LOOKALIKE_{name.upper()}: {problem['msg']}", "red"))
        code = ExitCode.USAGE
    except (KeyboardInterrupt, asyncio.CancelledError):
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        code = ExitCode.FAILED  # "lookalike … | head": the reader has gone
        _drop_output()
    except OSError as error:
        # Files are opened under guards of their own; what is left is our own output.
        complain(ConsoleError(f"The answer cannot be written: {error.strerror or error}."))
        code = ExitCode.FAILED
        _drop_output()
    except Exception as error:
        if os.environ.get("LOOKALIKE_LOG_LEVEL", "").upper() == "DEBUG":
            raise
        complain(
            ConsoleError(
                f"Something went wrong that should not: {type(error).__name__}.",
                hint="LOOKALIKE_LOG_LEVEL=DEBUG shows where; please report it.",
            )
        )
        code = ExitCode.FAILED
    if code is not ExitCode.OK:
        raise typer.Exit(int(code))


def _drop_output() -> None:
    """Keeps Python from complaining when it flushes at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(error: ConsoleError) -> None:
    """Says on standard error what is wrong and what to do."""
    console = stderr()
    console.print(styled(error.message, "red"), soft_wrap=True)
    if error.hint:
        console.print(styled(error.hint), soft_wrap=True)


async def _interruptible(command: Coroutine[None, None, ExitCode]) -> ExitCode:
    """Also a plain "kill" lets the command tidy up, such as stop its private server."""
    task = asyncio.ensure_future(command)
    loop = asyncio.get_running_loop()
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows knows no SIGHUP
        if number is None:
            continue
        with contextlib.suppress(*NO_SIGNALS):
            loop.add_signal_handler(number, task.cancel)
    return await task
