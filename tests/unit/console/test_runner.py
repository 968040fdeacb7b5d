"""Exit codes in place of stack traces."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import typer

from bots.console.errors import ConsoleError, ExitCode
from bots.console.runner import run


def code_of(outcome):
    """The exit code of a command that ends that way; None where it does not exit."""

    async def command():
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    try:
        run(command())
    except typer.Exit as leaving:
        return leaving.exit_code
    return None


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (ExitCode.OK, None),
        (ExitCode.BAD_INPUT, 4),
        (ConsoleError("no", code=ExitCode.DENIED), 5),
        (KeyboardInterrupt(), 130),
        (OSError(28, "No space left on device"), 1),
        (ZeroDivisionError(), 1),
    ],
)
def test_every_end_has_its_code(outcome, code, monkeypatch):
    """Also those that nobody thought of."""
    monkeypatch.setattr("bots.console.runner._drop_output", lambda: None)
    assert code_of(outcome) == code


def test_a_bug_is_said_in_a_line(capsys):
    """Its kind, and how to see more."""
    code_of(ZeroDivisionError("secret"))
    text = capsys.readouterr().err
    assert "ZeroDivisionError" in text
    assert "LOOKALIKE_LOG_LEVEL=DEBUG" in text
    assert "Traceback" not in text


def test_whoever_looks_for_a_bug_gets_the_trace(monkeypatch):
    """With debugging on."""
    monkeypatch.setenv("LOOKALIKE_LOG_LEVEL", "debug")
    with pytest.raises(ZeroDivisionError):
        code_of(ZeroDivisionError())


@pytest.mark.parametrize("reader", ["closed", "full"])
def test_output_that_cannot_be_written_is_no_stack_trace(fake, reader):
    """A reader that has gone, as with "| head", and a disk that is full."""
    if reader == "full":
        stdout = os.open("/dev/full", os.O_WRONLY)
    else:
        reading, stdout = os.pipe()
        os.close(reading)
    result = subprocess.run(
        [sys.executable, "-m", "bots.console", "celebrities", "list", "--json"],
        env=os.environ | {"LOOKALIKE_SERVER": fake.address},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(stdout)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr
    assert ("cannot be written" in result.stderr) == (reader == "full")
