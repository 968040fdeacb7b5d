"""A reply as Discord shows it: an embed, a file, buttons.

Limits: 4,096 characters in an embed's description, 256 in its title, 2,000 in a plain
message, 5 rows of 5 buttons, 80 characters on a button, 1,024 of alternative text, and
10 MiB of files unless Discord says otherwise.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import discord

from bots.core.reply import Action, Button, Line, LineKind, Picture, Reply, ReplyKind, fit_lines

__all__ = ["CUSTOM_ID_PREFIX", "MAX_FILE_BYTES", "Message", "custom_id", "render"]

CUSTOM_ID_PREFIX = "lookalike:"
MAX_DESCRIPTION = 4096
MAX_TITLE = 256
MAX_CONTENT = 2000
MAX_LABEL = 80
MAX_ALT_TEXT = 1024
MAX_FILE_BYTES = 10 * 2**20
"""What Discord takes from a bot everywhere."""

_LIST_NUMBER = re.compile(r"^(\d+)\.")
"""What Discord makes a list of, and then takes the following lines for parts of it."""
_ROW = 5
_COLOURS: Mapping[ReplyKind, discord.Colour] = MappingProxyType(
    {
        ReplyKind.LIMITED: discord.Colour.gold(),
        ReplyKind.ERROR: discord.Colour.red(),
    }
)
_EMOJI: Mapping[Action, str] = MappingProxyType(
    {
        Action.OVERVIEW: "↩️",
        Action.MATCHES: "👥",
        Action.FACE: "🙂",
        Action.DETAILS: "🔎",
        Action.SPEAK: "🔊",
        Action.SHARE: "📤",
        Action.DELETE: "🗑️",
        Action.RETRY: "🔁",
    }
)


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """A reply in Discord's terms.

    Attributes:
        content: Plain text, where there is no embed.
        embed: The lines and the picture.
        file: The picture; opened anew from its bytes for each use.
        view: The buttons.
    """

    content: str | None
    embed: discord.Embed | None
    file: discord.File | None
    view: discord.ui.View | None

    def for_sending(self) -> dict[str, Any]:
        """Arguments of the calls that send a message; what there is none of is left out."""
        parts = {
            "content": self.content,
            "embed": self.embed,
            "file": self.file,
            "view": self.view,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def for_editing(self) -> dict[str, Any]:
        """Arguments of the calls that edit one; what there is none of is taken away."""
        return {
            "content": self.content,
            "embed": self.embed,
            "attachments": [self.file] if self.file else [],
            "view": self.view,
        }


def render(
    reply: Reply, *, embeds: bool = True, file_limit: int = MAX_FILE_BYTES, buttons: bool = True
) -> Message:
    """The reply in Discord's terms.

    Args:
        reply: What to say.
        embeds: Whether embeds may be shown where it is said; else it becomes plain text.
        file_limit: Bytes that a file may have there; a bigger picture is left out, and 0
            leaves out every picture.
        buttons: Whether to show the buttons.
    """
    picture = reply.picture
    if picture is not None and len(picture.content) > min(file_limit, MAX_FILE_BYTES):
        picture = None
    file = _file(picture, spoiler=reply.spoiler) if picture else None
    view = _view(reply.buttons) if buttons else None
    if not embeds:
        return Message(_text(reply.lines, MAX_CONTENT) or None, None, file, view)
    embed = _embed(reply)
    if file is not None and not reply.spoiler:
        # Only a plain attachment can be hidden as a spoiler: in an embed all would see it.
        embed.set_image(url=f"attachment://{file.filename}")
    return Message(None, embed, file, view)


def custom_id(button: Button) -> str:
    """What Discord gives back when the button is pressed, after a restart as well."""
    return CUSTOM_ID_PREFIX + button.press.data


def _embed(reply: Reply) -> discord.Embed:
    lines = list(reply.lines)
    title = None
    if lines and lines[0].kind is LineKind.TITLE and len(lines[0].text) <= MAX_TITLE:
        title = lines.pop(0).text
    return discord.Embed(
        title=discord.utils.escape_markdown(title)[:MAX_TITLE] if title else None,
        description=_text(lines, MAX_DESCRIPTION),
        colour=_COLOURS.get(reply.kind, discord.Colour.blurple()),
    )


def _text(lines: Sequence[Line], limit: int) -> str:
    """Lines in Markdown, as many as fit into ``limit`` characters."""
    room = limit
    while True:
        kept = fit_lines(lines, room)
        text = _markdown(kept)
        if len(text) <= limit:
            return text
        room -= max(1, len(text) - limit)  # what the markup takes has to go, too


def _markdown(lines: Sequence[Line]) -> str:
    text = ""
    for line in lines:
        words = _LIST_NUMBER.sub(r"\1\\.", discord.utils.escape_markdown(line.text))
        match line.kind:
            case LineKind.TITLE:
                marked, gap = f"### {words}", "\n"
            case LineKind.FACE:
                marked, gap = f"**{words}**", "\n\n"
            case LineKind.NOTE | LineKind.CREDIT:
                marked, gap = "\n".join(f"-# {part}" for part in words.splitlines()), "\n"
            case _:
                marked, gap = words, "\n"
        text += gap + marked if text else marked
    return text


def _file(picture: Picture, *, spoiler: bool) -> discord.File:
    return discord.File(
        io.BytesIO(picture.content),
        filename=picture.file_name,
        spoiler=spoiler,
        description=picture.alt_text[:MAX_ALT_TEXT] or None,
    )


def _view(rows: Sequence[Sequence[Button]]) -> discord.ui.View | None:
    """The buttons as a view that is never listened to.

    Presses are recognised by their ``custom_id`` (see :mod:`bots.discord.views`), so that
    no view has to be kept, and none is lost at a restart.
    """
    if not any(rows):
        return None
    view = discord.ui.View(timeout=None)
    for index, row in enumerate(_wide(rows)):
        for button in row:
            view.add_item(
                discord.ui.Button(
                    label=button.label[:MAX_LABEL],
                    emoji=_EMOJI[button.action],
                    style=discord.ButtonStyle.secondary,
                    custom_id=custom_id(button),
                    row=index,
                )
            )
    view.stop()
    return view


def _wide(rows: Sequence[Sequence[Button]]) -> list[list[Button]]:
    """Rows as wide as Discord's can be: the first, and all others behind it or below."""
    buttons = [button for row in rows for button in row][: 5 * _ROW]
    if len(buttons) <= _ROW:
        return [buttons]
    first = min(len(rows[0]), _ROW)
    rest = buttons[first:]
    return [buttons[:first], *(rest[i : i + _ROW] for i in range(0, len(rest), _ROW))][:5]
