"""What a bot says, free of any platform: lines, a picture, buttons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

__all__ = [
    "Action",
    "Button",
    "Line",
    "LineKind",
    "Picture",
    "Press",
    "Reply",
    "ReplyKind",
    "fit_lines",
]

MAX_DATA_BYTES = 64
"""What Telegram allows for a button's data."""


class ReplyKind(StrEnum):
    """What a reply is about."""

    ANSWER = "answer"
    DETAILS = "details"
    COMPARISON = "comparison"
    CELEBRITY = "celebrity"
    NOTICE = "notice"
    """Help, privacy, a setting that was changed, a photo that is refused."""
    LIMITED = "limited"
    """Too many photos: ``retry_after_s`` says when to come again."""
    ERROR = "error"


class LineKind(StrEnum):
    """What a line says, for platforms that set lines off from each other."""

    TITLE = "title"
    CAPTION = "caption"
    FACE = "face"
    MATCH = "match"
    TEXT = "text"
    NOTE = "note"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a reply, plain text."""

    kind: LineKind
    text: str


@dataclass(frozen=True, slots=True, repr=False)
class Picture:
    """A picture to show.

    Attributes:
        content: Bytes of the file.
        mime_type: ``"image/jpeg"`` or ``"image/png"``.
        alt_text: For those who cannot see it.
        key: The same picture has the same key, so that it needs no second upload.
        public: Shows nothing of anybody's photo.
    """

    content: bytes
    mime_type: str
    alt_text: str
    key: str
    public: bool = False

    @property
    def file_name(self) -> str:
        """A name for the file."""
        return f"lookalike.{'png' if self.mime_type == 'image/png' else 'jpg'}"


class Action(StrEnum):
    """What a button does; the value is what its data holds."""

    OVERVIEW = "o"
    MATCHES = "m"
    FACE = "f"
    DETAILS = "d"
    SPEAK = "v"
    SHARE = "s"
    DELETE = "x"
    RETRY = "r"


@dataclass(frozen=True, slots=True)
class Press:
    """A pressed button: which answer, which action, which face, which page.

    >>> Press.parse(Press("k3", Action.MATCHES, face=1, page=2).data)
    Press(key='k3', action=<Action.MATCHES: 'm'>, face=1, page=2)
    """

    key: str
    action: Action
    face: int = 0
    page: int = 0

    @property
    def data(self) -> str:
        """As the button carries it."""
        return f"{self.key}.{self.action}.{self.face}.{self.page}"

    @classmethod
    def parse(cls, data: str) -> Press:
        """The press that ``data`` stands for.

        Raises:
            ValueError: It is none of ours.
        """
        if len(data) > MAX_DATA_BYTES:
            raise ValueError("this is no button of ours")
        try:
            key, action, face, page = data.split(".")
            return cls(key, Action(action), int(face), int(page))
        except ValueError:
            raise ValueError("this is no button of ours") from None


@dataclass(frozen=True, slots=True)
class Button:
    """A button under a reply."""

    label: str
    press: Press

    @property
    def action(self) -> Action:
        """What it does."""
        return self.press.action


@dataclass(frozen=True, slots=True)
class Reply:
    """What a bot says.

    Attributes:
        kind: What it is about.
        language: Of the texts, such as ``"hi"``.
        lines: In their order.
        picture: To show above the lines.
        buttons: Rows of buttons.
        spoiler: Hide the picture until somebody wants to see it.
        reason: Of an error, such as ``"CORRUPT_PHOTO"``.
        retry_after_s: Seconds after which trying again may help.
        key: Of the answer that the buttons belong to; empty where there is none.
    """

    kind: ReplyKind
    language: str
    lines: tuple[Line, ...]
    picture: Picture | None = None
    buttons: tuple[tuple[Button, ...], ...] = ()
    spoiler: bool = False
    reason: str = ""
    retry_after_s: float | None = None
    key: str = ""

    @property
    def text(self) -> str:
        """All lines, an empty one before each title and face but the first."""
        return join_lines(self.lines)

    def without_buttons(self, *actions: Action) -> Reply:
        """The reply without these buttons, where a platform cannot do what they say."""
        rows = (tuple(b for b in row if b.action not in actions) for row in self.buttons)
        return replace(self, buttons=tuple(row for row in rows if row))


def join_lines(lines: Iterable[Line]) -> str:
    """Lines as plain text."""
    text = ""
    for line in lines:
        if text:
            text += "\n\n" if line.kind in {LineKind.TITLE, LineKind.FACE} else "\n"
        text += line.text
    return text


def fit_lines(lines: Sequence[Line], limit: int) -> tuple[Line, ...]:
    """As many lines as fit into ``limit`` characters (UTF-16 units, as Telegram counts).

    Notes go first, then matches and faces from the end; credits stay: licences want them.
    """
    kept = list(lines)
    for kinds in (
        {LineKind.NOTE},
        {LineKind.MATCH, LineKind.FACE, LineKind.TEXT},
        {LineKind.CREDIT},
        {LineKind.CAPTION, LineKind.TITLE},
    ):
        for index in range(len(kept) - 1, -1, -1):
            if utf16_length(join_lines(kept)) <= limit:
                return tuple(kept)
            if kept[index].kind in kinds:
                del kept[index]
    return tuple(kept)


def utf16_length(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2
