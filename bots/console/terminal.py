"""Pictures in the terminal, where it can show them; and the language of the terminal."""

from __future__ import annotations

import functools
import io
import os
import sys

from PIL import Image
from rich.console import Console, RenderableType
from rich.segment import Segments

__all__ = ["graphics", "language", "picture"]

_COLUMNS = 72


@functools.cache
def graphics() -> str | None:
    """``"sixel"`` or ``"kitty"`` where the terminal says that it draws them, else None.

    It is asked once, by escape sequences, and answers within 0.1 s or never; that takes a
    terminal at both ends. iTerm2 and WezTerm answer that they draw sixels.
    """
    if os.environ.get("TERM", "dumb") == "dumb" or not _interactive():
        return None
    try:
        from textual_image import renderable  # noqa: PLC0415 - asks the terminal on import
    except Exception:  # noqa: BLE001 - a picture is a bonus: no terminal may break the answer
        return None
    kinds: dict[object, str] = {renderable.SixelImage: "sixel", renderable.TGPImage: "kitty"}
    return kinds.get(renderable.Image)


def _interactive() -> bool:
    streams = (sys.__stdin__, sys.__stdout__)
    return all(stream is not None and stream.isatty() for stream in streams)


def picture(content: bytes, console: Console) -> RenderableType | None:
    """The picture for rich to print by itself; None where the terminal draws none."""
    if graphics() is None:
        return None
    from textual_image import renderable  # noqa: PLC0415 - as above

    try:
        with Image.open(io.BytesIO(content)) as image:
            drawn = renderable.Image(image, width=min(_COLUMNS, console.width), height="auto")
            # Drawn here and now: a terminal that does not know its own size is found out in time.
            return Segments(list(console.render(drawn)))
    except Exception:  # noqa: BLE001 - as above
        return None


def language() -> str | None:
    """The language that the user set for programs, such as ``"pt_BR"``; None where none is."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return value.partition(".")[0].partition("@")[0]
    return None
