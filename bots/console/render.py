"""An answer as text for people."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bots.console.output import styled
from bots.core.answer import Answer, Asker, NumberedFace, new_key, number_faces
from bots.core.describe import describe_face
from bots.core.languages import Texts
from bots.core.reply import Line, LineKind
from bots.core.wording import Portraits, answer_lines, isolate, score
from lookalike.v1 import photo_pb2

__all__ = ["as_answer", "print_answer", "print_lines"]

_ME = Asker("console", "", "")
_STYLES = {
    LineKind.TITLE: "bold",
    LineKind.CAPTION: "bold",
    LineKind.FACE: "bold",
    LineKind.NOTE: "dim",
    LineKind.CREDIT: "dim",
}
_BAR = 20


def as_answer(response: photo_pb2.AnalyzePhotoResponse, max_faces: int) -> Answer:
    """The response as the bots' core knows answers."""
    faces, hidden = number_faces((response,), max_faces)
    return Answer(new_key(), _ME, (response,), faces, hidden)


def print_answer(
    console: Console,
    photo: str,
    answer: Answer,
    *,
    top: int,
    portraits: Portraits,
    texts: Texts,
    card: RenderableType | None = None,
) -> None:
    """Prints the answer about one photo.

    Args:
        console: Where to.
        photo: Its name.
        answer: About it.
        top: Look-alikes to show for each face.
        portraits: Shown on the card; to be credited.
        texts: In the user's language.
        card: The side-by-side picture, where the terminal draws pictures.
    """
    console.print(styled(photo, "cyan"))
    if card is not None:
        console.print(card)
    parts: list[RenderableType] = []
    for line in answer_lines(answer, portraits, texts):
        # Everything but the faces, which get a table each.
        if line.kind is LineKind.MATCH or (line.kind is LineKind.FACE and answer.faces):
            continue
        if line.kind is LineKind.CAPTION:
            parts.append(_text(line))
            parts += [_face(face, answer, top, texts) for face in answer.faces]
        elif line.kind is not LineKind.CREDIT or card is not None:
            parts.append(_text(line))
    if answer.faces and not answer.photos[0].caption.text:
        parts += [_face(face, answer, top, texts) for face in answer.faces]
    console.print(Padding(Group(*parts), (0, 0, 1, 2)))


def print_lines(console: Console, lines: tuple[Line, ...]) -> None:
    """Prints lines as they are."""
    for line in lines:
        console.print(_text(line))


def _text(line: Line) -> Text:
    return styled(line.text, _STYLES.get(line.kind, ""))


def _face(face: NumberedFace, answer: Answer, top: int, texts: Texts) -> RenderableType:
    description = describe_face(face.face, texts)
    if len(answer.faces) > 1:
        title = texts("Face {number}", number=texts.number(face.number))
        description = f"{title}: {description}" if description else title
    parts: list[RenderableType] = [Text(), styled(description)]
    if not face.face.matches:
        parts.append(styled(texts("The gallery has nobody like this face."), "dim"))
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right")
    table.add_column(max_width=40, overflow="ellipsis", no_wrap=True)
    table.add_column(width=_BAR)
    table.add_column(no_wrap=True)
    for place, match in enumerate(face.face.matches[:top], start=1):
        likeness = match.similarity.likeness
        table.add_row(
            f"{texts.number(place)}.",
            styled(isolate(match.celebrity.display_name, texts), "bold" if place == 1 else ""),
            ProgressBar(total=100, completed=likeness, width=_BAR, finished_style="bar.complete"),
            styled(score(match.similarity, texts)),
        )
    parts.append(Padding(table, (0, 0, 0, 2)))
    return Group(*parts)
