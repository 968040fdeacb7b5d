"""Polite words for what is no answer: errors, limits, help, privacy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bots.core.errors import (
    BadPhoto,
    ClientError,
    DeadlineExceeded,
    NoFace,
    Overloaded,
    ServerUnavailable,
)
from bots.core.languages import Texts
from bots.core.reply import Action, Button, Line, LineKind, Press, Reply, ReplyKind

__all__ = [
    "celebrity_not_found",
    "error_reply",
    "error_text",
    "help_reply",
    "limited_reply",
    "notice",
    "privacy_paragraphs",
]


def notice(text: str, texts: Texts, kind: ReplyKind = ReplyKind.NOTICE) -> Reply:
    """A reply of plain paragraphs, separated by empty lines."""
    lines = tuple(Line(LineKind.TEXT, line) for line in text.split("\n"))
    return Reply(kind, texts.language, lines)


def error_text(error: ClientError, texts: Texts) -> str:
    """What went wrong and what helps, for the person who asked."""
    if isinstance(error, BadPhoto):
        return _bad_photo(error.reason, texts)
    if isinstance(error, NoFace):
        return texts("I found no face there. Please choose a photo on which a face can be seen.")
    if isinstance(error, Overloaded):
        return texts("Many photos are waiting right now. Please try again in a moment.")
    if isinstance(error, DeadlineExceeded):
        return texts("That took too long. Please try again.")
    if isinstance(error, ServerUnavailable):
        return texts("I cannot look at photos at the moment. Please try again in a minute.")
    return texts("Something went wrong on our side. Please try again later.")


def _bad_photo(reason: str, texts: Texts) -> str:
    said = {
        "PHOTO_TOO_LARGE": texts(
            "This photo is too large: {megabytes} MB is the most.", megabytes=20
        ),
        "PHOTOS_TOO_LARGE": texts("Together these photos are too large. Please send smaller ones."),
        "TOO_MANY_PIXELS": texts("This photo has too many pixels. Please send a smaller one."),
        "PHOTO_TOO_SMALL": texts("This photo is too small to see anything on it."),
        "CORRUPT_PHOTO": texts(
            "This photo is damaged or was cut off on its way. Please send it again."
        ),
        "EMPTY_PHOTO": texts("This file is empty."),
    }
    no_photo = texts(
        "This is no photo that I can read. JPEG, PNG, WebP, GIF, AVIF and HEIC are fine."
    )
    return said.get(reason, no_photo)


def error_reply(error: ClientError, texts: Texts) -> Reply:
    """An error as a reply, with a button to try again where that helps."""
    reply = notice(error_text(error, texts), texts, ReplyKind.ERROR)
    buttons: tuple[tuple[Button, ...], ...] = ()
    if isinstance(error, Overloaded | ServerUnavailable):
        buttons = ((Button(texts("Try again"), Press("-", Action.RETRY)),),)
    return replace(reply, reason=error.reason, retry_after_s=error.retry_after_s, buttons=buttons)


def limited_reply(wait_s: float | None, texts: Texts) -> Reply:
    """Too many photos at once, or within a minute."""
    if wait_s is None:
        text = texts("You have many photos waiting already. Please wait for the answers.")
    else:
        text = texts.plural(
            "Those were many photos at once. Please try again in {n} second.",
            "Those were many photos at once. Please try again in {n} seconds.",
            max(1, round(wait_s)),
        )
    return replace(notice(text, texts, ReplyKind.LIMITED), retry_after_s=wait_s, reason="LIMITED")


def celebrity_not_found(name: str, texts: Texts) -> Reply:
    """Nobody by that name."""
    if not name.strip():
        text = texts("Please tell me a name, as in: /celebrity Marie Curie")
    else:
        text = texts("I know nobody by the name of {name}.", name=name.strip()[:80])
    return replace(notice(text, texts), reason="CELEBRITY_NOT_FOUND")


def help_reply(texts: Texts, commands: Sequence[tuple[str, str]]) -> Reply:
    """What the bot does, and its commands with what each is for."""
    lines = [
        Line(LineKind.TITLE, texts("Who do you look like?")),
        Line(
            LineKind.TEXT,
            texts(
                "Send me a photo. I describe it and every face on it, and show the celebrities "
                "whom the faces resemble."
            ),
        ),
        Line(
            LineKind.TEXT,
            texts(
                "Several photos at once get one answer. In groups, reply to a photo with my name, "
                "or write it under your own."
            ),
        ),
        Line(
            LineKind.TEXT,
            texts("Looked at, answered, forgotten: nothing of your photo is kept."),
        ),
        Line(LineKind.TITLE, texts("Commands")),
        *(Line(LineKind.TEXT, f"/{name}: {text}") for name, text in commands),
    ]
    return Reply(ReplyKind.NOTICE, texts.language, tuple(lines))


def privacy_paragraphs(texts: Texts, contact: str = "") -> tuple[str, ...]:
    """What happens to photos and to what else is known, in plain words."""
    paragraphs: tuple[str, ...] = (
        texts("Your photo is looked at, answered and forgotten."),
        texts(
            "It is kept in no file and in no log, it trains no model, and no one sees it but "
            "you and those in the chat."
        ),
        texts(
            "For the buttons under an answer, the answer and the cut-out faces stay in memory "
            "for an hour at the most; restarting the bot clears them."
        ),
        texts(
            "What is stored are your settings, such as the language, and a note of your message, "
            "without the photo, until it is answered. /forget_me deletes your settings and the "
            "answers in memory."
        ),
        texts(
            "To find a celebrity's portrait, only the celebrity's name is looked up elsewhere. "
            "Spoken answers may be made by Google's voice where the operator allows it; then "
            "the spoken words are sent there, never the photo."
        ),
    )
    if contact:
        paragraphs += (texts("Questions: {contact}", contact=contact),)
    return paragraphs
