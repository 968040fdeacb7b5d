"""Pictures in a real pseudo-terminal, with the test answering as the terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

import pytest

from bots.console import terminal

DEVICE = b"\x1b[c"
"""What asks the terminal for its attributes; a 4 among them stands for sixels."""
SIXEL_PICTURE = b'\x1bP0;0;0q"'
KITTY_PICTURE = b"\x1b_G"


SIZE = (50, 120, 1200, 1000)
"""Rows, columns, and pixels across and down."""


def run_in_terminal(arguments, answers, environment, size=SIZE):
    """Runs ``lookalike`` in a pseudo-terminal; everything it wrote there, and its exit code.

    ``answers`` gets what came so far and may return what the terminal types in answer.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size))
    process = subprocess.Popen(
        [sys.executable, "-m", "bots.console", *map(str, arguments)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
        close_fds=True,
    )
    os.close(slave)
    output = b""
    end = time.monotonic() + 60
    with contextlib.suppress(OSError):  # the other end was closed
        while time.monotonic() < end:
            if not select.select([master], [], [], 0.2)[0]:
                if process.poll() is not None:
                    break
                continue
            chunk = os.read(master, 65536)
            if not chunk:
                break
            output += chunk
            if answer := answers(chunk):
                os.write(master, answer)
    os.close(master)
    return output, process.wait(timeout=30)


def sixel_terminal(chunk):
    """Such as xterm -ti vt340, or iTerm2."""
    return b"\x1b[?62;4;22c" if DEVICE in chunk else None


def kitty_terminal(chunk):
    """Kitty: no sixels, but its own protocol."""
    answer = b""
    if DEVICE in chunk:
        answer += b"\x1b[?62c"
    match = re.search(rb"\x1b_G[^\x1b]*i=(\d+)[^\x1b]*\x1b\\", chunk)
    if match and b"a=q" in match.group(0):
        answer += b"\x1b_Gi=" + match.group(1) + b";OK\x1b\\"
    return answer or None


def plain_terminal(chunk):
    """Answers that it can do nothing of the kind."""
    return b"\x1b[?1;2c" if DEVICE in chunk else None


@pytest.fixture
def environment(fake):
    names = ("PATH", "HOME", "PYTHONPATH", "VIRTUAL_ENV")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return kept | {"TERM": "xterm-256color", "LOOKALIKE_SERVER": fake.address}


def test_a_terminal_with_sixels_shows_the_card(environment, photo, fake):
    """The picture, and the words beside it; the portrait on it is credited."""
    output, code = run_in_terminal(["describe", photo()], sixel_terminal, environment)
    assert code == 0, output
    assert SIXEL_PICTURE in output
    assert b"A person smiles." in output
    assert b"A. Painter" in output
    assert fake.count("GetCelebrityPortrait") == 1


def test_kitty_shows_the_card(environment, photo):
    """By its own protocol."""
    output, code = run_in_terminal(["describe", photo()], kitty_terminal, environment)
    assert code == 0, output
    assert output.count(KITTY_PICTURE) > 1
    assert b"A person smiles." in output


@pytest.mark.parametrize("answers", [plain_terminal, lambda _: None], ids=["plain", "silent"])
def test_other_terminals_get_text(environment, photo, fake, answers):
    """No picture, no portrait fetched, and no escape sequence left behind."""
    output, code = run_in_terminal(["describe", photo()], answers, environment)
    assert code == 0, output
    assert SIXEL_PICTURE not in output
    assert b"Star 1" in output
    assert fake.count("GetCelebrityPortrait") == 0


def test_a_terminal_that_does_not_know_its_size_gets_text(environment, photo):
    """Some say that they have 0 columns; the answer must not be lost with the picture."""
    output, code = run_in_terminal(
        ["describe", photo()], sixel_terminal, environment, size=(0, 0, 0, 0)
    )
    assert code == 0, output
    assert SIXEL_PICTURE not in output
    assert b"Star 1" in output


def test_no_picture_is_shown_where_none_is_wanted(environment, photo, fake):
    """The option counts more than what the terminal can."""
    arguments = ["describe", photo(), "--no-picture"]
    output, code = run_in_terminal(arguments, sixel_terminal, environment)
    assert code == 0, output
    assert SIXEL_PICTURE not in output
    assert DEVICE not in output


def test_a_pipe_is_never_asked(monkeypatch):
    """Without a terminal at both ends there are no pictures."""
    terminal.graphics.cache_clear()
    monkeypatch.setenv("TERM", "xterm-256color")
    assert terminal.graphics() is None


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LANG": "pt_BR.UTF-8"}, "pt_BR"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "fr_FR@euro"}, "fr_FR"),
        ({"LANG": "de_DE", "LC_MESSAGES": "ru_RU"}, "ru_RU"),
        ({"LANG": "C"}, "C"),
        ({}, None),
    ],
)
def test_the_language_is_the_terminals(monkeypatch, variables, language):
    """As POSIX orders the variables."""
    for name in ("LANG", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert terminal.language() == language
