"""Exit codes, and errors put into a sentence that says what to do."""

from __future__ import annotations

from enum import IntEnum

from bots.core.errors import (
    BadPhoto,
    ClientError,
    DeadlineExceeded,
    Denied,
    InvalidRequest,
    NotFound,
    Overloaded,
    ServerUnavailable,
    UnsuitablePhoto,
)

__all__ = ["ConsoleError", "ExitCode", "explain", "from_client_error"]


class ExitCode(IntEnum):
    """What the shell sees."""

    OK = 0
    FAILED = 1
    USAGE = 2
    """The arguments do not fit; typer's own."""
    NO_SERVER = 3
    BAD_INPUT = 4
    """A file cannot be read or used; the others were answered."""
    DENIED = 5
    INTERRUPTED = 130


class ConsoleError(Exception):
    """Ends the command.

    Args:
        message: What is wrong.
        hint: What to do about it; a line of its own.
        code: For the shell.
    """

    def __init__(self, message: str, *, hint: str = "", code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


def explain(error: ClientError) -> str:
    """The server's message as a sentence, for a line of a report."""
    message = " ".join(error.message.split()) or type(error).__name__
    return message[:1].upper() + message[1:]


def from_client_error(error: ClientError, server: str) -> ConsoleError:
    """The error of a call as one that ends the command."""
    message = explain(error)
    if isinstance(error, DeadlineExceeded):
        return ConsoleError(
            f"The server at {server} did not answer in time.",
            hint="It may be busy; LOOKALIKE_DEADLINE_S gives it longer.",
            code=ExitCode.NO_SERVER,
        )
    if isinstance(error, ServerUnavailable):
        return no_server(server)
    if isinstance(error, Overloaded):
        return ConsoleError(
            f"The server at {server} has more to do than it takes on.",
            hint="Try again in a moment.",
        )
    if isinstance(error, Denied):
        return ConsoleError(
            message,
            hint="Set LOOKALIKE_SERVER_TOKEN to a token that the server accepts.",
            code=ExitCode.DENIED,
        )
    if isinstance(error, BadPhoto | UnsuitablePhoto | InvalidRequest | NotFound):
        return ConsoleError(message, code=ExitCode.BAD_INPUT)
    return ConsoleError(message)


def no_server(server: str) -> ConsoleError:
    """Nobody listens there."""
    return ConsoleError(
        f"There is no model server at {server}.",
        hint='Start one with "make run" or "lookalike-server", name another with --server '
        "HOST:PORT, or add --embedded to start a private one for this call.",
        code=ExitCode.NO_SERVER,
    )
