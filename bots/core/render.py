"""Answers become replies: lines, a picture and buttons together."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Sequence

from bots.core.answer import Answer, Mode, NumberedFace
from bots.core.card import CardMatch, CardRow, draw_card, draw_comparison, draw_matches
from bots.core.describe import describe_face
from bots.core.fonts import can_write
from bots.core.languages import Texts
from bots.core.portraits import PortraitShelf
from bots.core.reply import Action, Button, Picture, Press, Reply, ReplyKind
from bots.core.wording import (
    PAGE_SIZE,
    Portraits,
    answer_lines,
    celebrity_lines,
    comparison_lines,
    credit,
    details_lines,
    page_lines,
    pages,
)
from lookalike.v1 import celebrity_pb2, photo_pb2

__all__ = ["Renderer", "readable_name"]


class Renderer:
    """Puts replies together.

    Args:
        portraits: Where portraits come from.
    """

    def __init__(self, portraits: PortraitShelf) -> None:
        self._portraits = portraits

    async def overview(self, answer: Answer, texts: Texts) -> Reply:
        """The whole answer with its card."""
        portraits: Portraits = {}
        picture = None
        if answer.faces and answer.mode is not Mode.DESCRIBE:
            best = [face.face.matches[0] for face in answer.faces if face.face.matches]
            portraits = await self._portraits.get(match.celebrity.name for match in best)
            content = await asyncio.to_thread(_card, answer, portraits, texts)
            names = texts.together(match.celebrity.display_name for match in best)
            alt = texts("Card: the faces beside {names}", names=names) if names else ""
            picture = Picture(content, "image/jpeg", alt, f"{answer.key}.o")
        return Reply(
            ReplyKind.ANSWER,
            texts.language,
            answer_lines(answer, portraits, texts),
            picture,
            _overview_buttons(answer, texts),
            answer.spoiler,
            key=answer.key,
        )

    async def press(self, answer: Answer, press: Press, texts: Texts) -> Reply:
        """What a button of the answer leads to."""
        face = _face(answer, press.face)
        if face is None or press.action not in {Action.MATCHES, Action.FACE, Action.DETAILS}:
            return await self.overview(answer, texts)
        if press.action is Action.DETAILS:
            overview = await self.overview(answer, texts)
            lines = details_lines(answer, face, texts)
            back = Button(texts("Back"), Press(answer.key, Action.OVERVIEW))
            buttons: list[Button] = [back]
            if following := _following(answer, face):
                buttons.append(
                    Button(
                        texts("Another face"), Press(answer.key, Action.DETAILS, following.number)
                    )
                )
            return Reply(
                ReplyKind.DETAILS,
                texts.language,
                lines,
                overview.picture,
                (tuple(buttons),),
                answer.spoiler,
                key=answer.key,
            )
        return await self._page(answer, face, press.page % pages(face), texts)

    async def _page(self, answer: Answer, face: NumberedFace, page: int, texts: Texts) -> Reply:
        shown = face.face.matches[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
        portraits = await self._portraits.get(match.celebrity.name for match in shown)
        number = face.number if len(answer.faces) > 1 else None
        content = await asyncio.to_thread(
            draw_matches,
            CardRow(face.face.crop, None, number),
            [_match(match, portraits) for match in shown],
            first=page * PAGE_SIZE + 1,
            credits_=_credits((match.celebrity for match in shown), portraits),
        )
        names = texts.together(match.celebrity.display_name for match in shown)
        alt = texts("Card: the faces beside {names}", names=names) if names else ""
        return Reply(
            ReplyKind.ANSWER,
            texts.language,
            page_lines(answer, face, page, portraits, texts),
            Picture(content, "image/jpeg", alt, f"{answer.key}.m.{face.number}.{page}"),
            _page_buttons(answer, face, page, texts),
            answer.spoiler,
            key=answer.key,
        )

    @staticmethod
    async def comparison(response: photo_pb2.CompareFacesResponse, texts: Texts) -> Reply:
        """How alike two faces are, with both side by side."""
        content = await asyncio.to_thread(
            draw_comparison,
            response.first_face.crop,
            response.second_face.crop,
            response.similarity.likeness,
            word=texts("Likeness"),
        )
        alt = texts("Card: both faces side by side")
        lines = comparison_lines(response.similarity, texts)
        return Reply(
            ReplyKind.COMPARISON,
            texts.language,
            lines,
            Picture(content, "image/jpeg", alt, ""),
        )

    async def celebrity(self, celebrity: celebrity_pb2.Celebrity, texts: Texts) -> Reply:
        """Portrait of a celebrity, and who it is."""
        portraits = await self._portraits.get([celebrity.name])
        picture = None
        if portrait := portraits.get(celebrity.name):
            alt = texts("Portrait of {name}", name=celebrity.display_name)
            # Whoever gets another portrait must not be shown the one that platforms remember.
            key = f"{celebrity.name}.{hashlib.sha256(portrait.image).hexdigest()[:16]}"
            picture = Picture(portrait.image, portrait.mime_type, alt, key, public=True)
        lines = celebrity_lines(celebrity, portraits, texts)
        return Reply(ReplyKind.CELEBRITY, texts.language, lines, picture)

    @staticmethod
    def spoken(answer: Answer, texts: Texts) -> tuple[str, str]:
        """The captions, in English, and what is said of the faces in the texts' language."""
        caption = ". ".join(photo.caption.text for photo in answer.photos if photo.caption.text)
        said: list[str] = []
        for face in answer.faces:
            if len(answer.faces) > 1:
                said.append(texts("Face {number}", number=texts.number(face.number)))
            if description := describe_face(face.face, texts):
                said.append(description)
            if face.face.matches and answer.mode is not Mode.DESCRIBE:
                name = face.face.matches[0].celebrity.display_name
                said.append(texts("Looks like {name}", name=name))
        if not answer.faces:
            said.append(texts("I found no face in this picture."))
        return caption, ". ".join(part.rstrip(".") for part in said)


def readable_name(celebrity: celebrity_pb2.Celebrity) -> str:
    """The name, or else an alias or the id, whichever the fonts at hand can write."""
    latin = celebrity.name.removeprefix("celebrities/").replace("-", " ").title()
    names = (celebrity.display_name, *celebrity.aliases)
    return next((name for name in names if name and can_write(name)), latin)


def _card(answer: Answer, portraits: Portraits, texts: Texts) -> bytes:
    several = len(answer.faces) > 1
    rows = [
        CardRow(
            face.face.crop,
            _match(face.face.matches[0], portraits) if face.face.matches else None,
            face.number if several else None,
        )
        for face in answer.faces
    ]
    best = (face.face.matches[0].celebrity for face in answer.faces if face.face.matches)
    return draw_card(rows, word=texts("Likeness"), credits_=_credits(best, portraits))


def _match(match: photo_pb2.CelebrityMatch, portraits: Portraits) -> CardMatch:
    portrait = portraits.get(match.celebrity.name)
    return CardMatch(
        readable_name(match.celebrity),
        match.similarity.likeness,
        portrait.image if portrait else None,
    )


def _credits(celebrities: Iterable[celebrity_pb2.Celebrity], portraits: Portraits) -> Sequence[str]:
    lines: dict[str, None] = {}
    for celebrity in celebrities:
        portrait = portraits.get(celebrity.name)
        if portrait and (by := credit(portrait)):
            lines[f"{readable_name(celebrity)}: {by}"] = None
    return list(lines)


def _face(answer: Answer, number: int) -> NumberedFace | None:
    """The face with that number; 0 stands for the first."""
    return next((face for face in answer.faces if face.number == max(number, 1)), None)


def _following(answer: Answer, face: NumberedFace) -> NumberedFace | None:
    """The next face, round and round; None where there is only one."""
    if len(answer.faces) < 2:
        return None
    return _face(answer, face.number % len(answer.faces) + 1)


def _overview_buttons(answer: Answer, texts: Texts) -> tuple[tuple[Button, ...], ...]:
    key = answer.key
    rows: list[tuple[Button, ...]] = []
    if answer.faces and answer.mode is not Mode.DESCRIBE:
        first = [Button(texts("More look-alikes"), Press(key, Action.MATCHES, 1))]
        if len(answer.faces) > 1:
            first.append(Button(texts("Another face"), Press(key, Action.FACE, 2)))
        rows.append(tuple(first))
    second = [Button(texts("Hear it"), Press(key, Action.SPEAK))]
    if answer.faces and answer.mode is not Mode.DESCRIBE:
        second.insert(0, Button(texts("Details"), Press(key, Action.DETAILS, 1)))
    rows.append(tuple(second))
    last = [Button(texts("Delete"), Press(key, Action.DELETE))]
    if answer.faces and answer.mode is not Mode.DESCRIBE:
        last.insert(0, Button(texts("Share"), Press(key, Action.SHARE)))
    rows.append(tuple(last))
    return tuple(rows)


def _page_buttons(
    answer: Answer, face: NumberedFace, page: int, texts: Texts
) -> tuple[tuple[Button, ...], ...]:
    key, number, count = answer.key, face.number, pages(face)
    turning: list[Button] = []
    if page > 0:
        turning.append(Button(texts("Previous"), Press(key, Action.MATCHES, number, page - 1)))
    if page + 1 < count:
        turning.append(Button(texts("Next"), Press(key, Action.MATCHES, number, page + 1)))
    second = [
        Button(texts("Back"), Press(key, Action.OVERVIEW)),
        Button(texts("Details"), Press(key, Action.DETAILS, number)),
    ]
    if following := _following(answer, face):
        second.insert(1, Button(texts("Another face"), Press(key, Action.FACE, following.number)))
    return tuple(row for row in (tuple(turning), tuple(second)) if row)
