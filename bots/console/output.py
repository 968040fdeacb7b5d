"""The two streams, and text that is safe to print."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from bots.console.errors import ConsoleError

__all__ = ["plain", "print_json", "stderr", "stdout", "styled", "write_file"]


def stdout() -> Console:
    """Where answers go."""
    return Console(highlight=False, soft_wrap=False)


def stderr() -> Console:
    """Where progress and complaints go, so that answers can be piped."""
    return Console(stderr=True, highlight=False)


def plain(text: str) -> str:
    """Without control characters: names of files and people must not steer the terminal."""
    return "".join(c if c.isprintable() or c in "\u200c\u200d\u2068\u2069" else "�" for c in text)


def styled(text: str, style: str = "") -> Text:
    """Text of others, never read as markup."""
    return Text(plain(text), style=style)


def print_json(value: Mapping[str, Any]) -> None:
    """One object on one line."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # a file name that is not UTF-8
        text = json.dumps(value)
    typer.echo(text)


def write_file(path: Path, content: bytes) -> None:
    """Writes a file that the user asked for.

    Raises:
        ConsoleError: It cannot be written.
    """
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConsoleError(f"{path} cannot be written: {error.strerror}.") from error
