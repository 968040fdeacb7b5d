"""Answers put into lines of text, in the asker's language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bots.core.answer import Answer, Mode, NumberedFace
from bots.core.describe import describe_face
from bots.core.languages import Texts
from bots.core.notices import error_text
from bots.core.reply import Line, LineKind
from lookalike.v1 import celebrity_pb2, photo_pb2

__all__ = [
    "PAGE_SIZE",
    "Portraits",
    "answer_lines",
    "celebrity_lines",
    "comparison_lines",
    "credit",
    "details_lines",
    "hidden_faces_text",
    "page_lines",
    "pages",
    "score",
]

TOP = 3
"""Look-alikes that an answer names for each face."""
PAGE_SIZE = 5
"""Look-alikes on a page of the others."""
MOST_MATCHES = 10

Portraits = Mapping[str, celebrity_pb2.GetCelebrityPortraitResponse]
"""By the celebrity's name."""

_FIRST_STRONG_ISOLATE = "\u2068"
_POP_ISOLATE = "\u2069"


def isolate(text: str, texts: Texts) -> str:
    """Foreign words so marked that they keep their direction in a text from right to left."""
    return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}" if texts.right_to_left else text


def score(similarity: photo_pb2.Similarity, texts: Texts) -> str:
    """Likeness as people read it."""
    return texts("{likeness} of 100", likeness=texts.number(similarity.likeness))


def answer_lines(answer: Answer, portraits: Portraits, texts: Texts) -> tuple[Line, ...]:
    """The whole answer: captions, each face's description and look-alikes, credits."""
    return tuple(_answer_lines(answer, portraits, texts))


def _answer_lines(answer: Answer, portraits: Portraits, texts: Texts) -> Iterator[Line]:
    if answer.mode is not Mode.LOOKALIKE:
        yield from _captions(answer, texts)
    for number, error in answer.failed.items():
        yield Line(LineKind.TEXT, _of_photo(number, error_text(error, texts), texts))
    if answer.comparison:
        yield from comparison_lines(answer.comparison, texts)
    if not answer.faces:
        yield Line(LineKind.FACE, texts("I found no face in this picture."))
        yield Line(
            LineKind.TEXT,
            texts(
                "It helps when the face looks towards the camera, is well lit and fills a good "
                "part of the picture."
            ),
        )
        return
    for face in answer.faces:
        yield from _face_lines(face, answer, texts)
    if answer.together and answer.mode is not Mode.DESCRIBE:
        yield Line(LineKind.FACE, texts("All photos together look like"))
        yield from match_lines(NumberedFace(0, 0, answer.together), texts, 0, TOP)
    if answer.hidden_faces:
        yield Line(LineKind.NOTE, hidden_faces_text(answer, texts))
    if answer.mode is not Mode.DESCRIBE:
        best = (face.face.matches[0].celebrity for face in answer.faces if face.face.matches)
        yield from credit_lines(best, portraits, texts)


def _captions(answer: Answer, texts: Texts) -> Iterator[Line]:
    captions = [photo.caption.text for photo in answer.photos]
    for number, caption in zip(answer.photo_numbers, captions, strict=True):
        if not caption:
            continue
        shown = isolate(_sentence(caption), texts)
        if len(captions) > 1 or answer.failed:
            shown = _of_photo(number, shown, texts)
        yield Line(LineKind.CAPTION, shown)
    if texts.language != "en" and any(captions):
        yield Line(LineKind.NOTE, texts("The caption of the picture is written in English."))


def hidden_faces_text(answer: Answer, texts: Texts) -> str:
    """How many more faces the picture has than the answer shows; there is one at least."""
    if answer.more_hidden:
        return texts.plural(
            "There is at least {n} more face in the picture.",
            "There are at least {n} more faces in the picture.",
            answer.hidden_faces,
        )
    return texts.plural(
        "There is {n} more face in the picture.",
        "There are {n} more faces in the picture.",
        answer.hidden_faces,
    )


def _of_photo(number: int, said: str, texts: Texts) -> str:
    return texts("Photo {number}: {caption}", number=texts.number(number), caption=said)


def _face_lines(face: NumberedFace, answer: Answer, texts: Texts) -> Iterator[Line]:
    description = describe_face(face.face, texts) if answer.mode is not Mode.LOOKALIKE else ""
    if len(answer.faces) > 1:
        title = texts("Face {number}", number=texts.number(face.number))
        description = f"{title}: {description}" if description else title
    yield Line(LineKind.FACE, _sentence(description) if description else texts("Looks like"))
    if answer.mode is Mode.DESCRIBE:
        return
    yield from match_lines(face, texts, 0, TOP)


def match_lines(face: NumberedFace, texts: Texts, start: int, stop: int) -> Iterator[Line]:
    """Look-alikes of a face from place ``start``, counted from 0, to before ``stop``."""
    matches = face.face.matches[:MOST_MATCHES]
    if not matches:
        yield Line(LineKind.MATCH, texts("The gallery has nobody like this face."))
    for place, match in enumerate(matches[start:stop], start=start + 1):
        yield Line(
            LineKind.MATCH,
            texts(
                "{place}. {name}: likeness {score}",
                place=texts.number(place),
                name=isolate(match.celebrity.display_name, texts),
                score=score(match.similarity, texts),
            ),
        )


def pages(face: NumberedFace) -> int:
    """How many pages a face's look-alikes fill, at least one."""
    return max(1, -(-min(len(face.face.matches), MOST_MATCHES) // PAGE_SIZE))


def page_lines(
    answer: Answer, face: NumberedFace, page: int, portraits: Portraits, texts: Texts
) -> tuple[Line, ...]:
    """One page of a face's look-alikes."""
    start = page * PAGE_SIZE
    title = texts("Look-alikes")
    if len(answer.faces) > 1:
        title = texts("Look-alikes of face {number}", number=texts.number(face.number))
    shown = [match.celebrity for match in face.face.matches[start : start + PAGE_SIZE]]
    return (
        Line(LineKind.TITLE, title),
        *match_lines(face, texts, start, start + PAGE_SIZE),
        *credit_lines(shown, portraits, texts),
    )


def details_lines(answer: Answer, face: NumberedFace, texts: Texts) -> tuple[Line, ...]:
    """How the score of a face's best look-alike is made."""
    return tuple(_details_lines(answer, face, texts))


def _details_lines(answer: Answer, face: NumberedFace, texts: Texts) -> Iterator[Line]:
    yield Line(LineKind.TITLE, texts("How the score is made"))
    yield Line(
        LineKind.TEXT,
        texts(
            "Likeness tells how a match ranks among the best matches of people who are not in "
            "the gallery: 50 means as alike as the average person's best match."
        ),
    )
    if face.face.matches:
        best = face.face.matches[0]
        name = isolate(best.celebrity.display_name, texts)
        yield Line(LineKind.FACE, f"{name}: {score(best.similarity, texts)}")
        cosine = texts.number(best.similarity.cosine, 2)
        chance = texts.percent(best.similarity.same_person_probability)
        yield Line(LineKind.TEXT, texts("Similarity of the faces (cosine): {value}", value=cosine))
        yield Line(LineKind.TEXT, texts("Chance of being the same person: {chance}", chance=chance))
    quality = texts.percent(face.face.quality)
    yield Line(LineKind.TEXT, texts("Quality of the face picture: {value}", value=quality))
    info = answer.photos[face.photo].processing_info
    if total := info.timings_ms.get("total"):
        took = texts.number(total)
        yield Line(LineKind.NOTE, texts("Time taken: {milliseconds} ms", milliseconds=took))
    if versions := info.model_versions:
        models = ", ".join(f"{part} {versions[part]}" for part in sorted(versions))
        yield Line(LineKind.NOTE, texts("Models: {models}", models=isolate(models, texts)))


def comparison_lines(similarity: photo_pb2.Similarity, texts: Texts) -> tuple[Line, ...]:
    """How alike two faces are."""
    return (
        Line(
            LineKind.TITLE,
            texts("The two faces are alike: {score}", score=score(similarity, texts)),
        ),
        Line(
            LineKind.TEXT,
            texts(
                "Chance of being the same person: {chance}",
                chance=texts.percent(similarity.same_person_probability),
            ),
        ),
    )


def celebrity_lines(
    celebrity: celebrity_pb2.Celebrity, portraits: Portraits, texts: Texts
) -> tuple[Line, ...]:
    """Who a celebrity is."""
    return tuple(_celebrity_lines(celebrity, portraits, texts))


def _celebrity_lines(
    celebrity: celebrity_pb2.Celebrity, portraits: Portraits, texts: Texts
) -> Iterator[Line]:
    yield Line(LineKind.TITLE, isolate(celebrity.display_name, texts))
    if celebrity.aliases:
        names = texts.together(isolate(alias, texts) for alias in celebrity.aliases)
        yield Line(LineKind.TEXT, texts("Also known as {names}", names=names))
    if celebrity.tags:
        # "field:actor" reads "actor".
        words = ", ".join(tag.partition(":")[2] or tag for tag in celebrity.tags)
        yield Line(LineKind.TEXT, isolate(words, texts))
    yield Line(
        LineKind.NOTE,
        texts.plural(
            "{n} picture of this face is known to me.",
            "{n} pictures of this face are known to me.",
            celebrity.face_count,
        ),
    )
    if celebrity.wikidata_id:
        yield Line(LineKind.TEXT, f"https://www.wikidata.org/wiki/{celebrity.wikidata_id}")
    yield from credit_lines([celebrity], portraits, texts)


def credit_lines(
    celebrities: Iterable[celebrity_pb2.Celebrity], portraits: Portraits, texts: Texts
) -> Iterator[Line]:
    """Whom to credit for the portraits shown."""
    for celebrity in {celebrity.name: celebrity for celebrity in celebrities}.values():
        portrait = portraits.get(celebrity.name)
        if portrait and (by := credit(portrait)):
            name = isolate(celebrity.display_name, texts)
            text = texts("Portrait of {name}: {credit}", name=name, credit=isolate(by, texts))
            yield Line(LineKind.CREDIT, text)


def credit(portrait: celebrity_pb2.GetCelebrityPortraitResponse) -> str:
    """Artist and licence in one line; empty where there is nobody to credit."""
    by = portrait.attribution
    source = ""
    if portrait.source == celebrity_pb2.PORTRAIT_SOURCE_WIKIMEDIA:
        source = "Wikimedia Commons"
    elif portrait.source == celebrity_pb2.PORTRAIT_SOURCE_GOOGLE:
        source = by.source_url
    return ", ".join(part for part in (by.artist, by.license, source) if part)


def _sentence(text: str) -> str:
    """With a capital letter and a full stop (left as they are in scripts without)."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "।", ":", "…")) else f"{text}."
