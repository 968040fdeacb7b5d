"""The desk: every photo gets an answer, whatever happens."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from dataclasses import replace

import grpc
import pytest
from PIL import Image

from bots.core.answer import Asker, Mode
from bots.core.desk import PhotoDesk
from bots.core.reply import Action, LineKind, Press, Reply, ReplyKind
from bots.core.settings import BotSettings, NsfwPolicy
from tests.support.fake_server import (
    Failure,
    FakeServer,
    analysis,
    face,
    picture,
)

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


def labels(reply: Reply) -> list[str]:
    return [button.label for row in reply.buttons for button in row]


def data(reply: Reply, label: str) -> str:
    return next(b.press.data for row in reply.buttons for b in row if b.label == label)


async def test_an_answer_has_everything(desk: PhotoDesk, asker: Asker) -> None:
    """Caption, description, top three, credit, a card that decodes, and all buttons."""
    reply = await desk.handle_photo(asker, [picture()])
    assert reply.text == (
        "A person smiles.\n\n"
        "Oval face, wavy brown hair.\n"
        "1. Star 1: likeness 90 of 100\n"
        "2. Star 2: likeness 85 of 100\n"
        "3. Star 3: likeness 80 of 100\n"
        "Portrait of Star 1: A. Painter, CC BY-SA 4.0, Wikimedia Commons"
    )
    assert reply.picture
    with Image.open(io.BytesIO(reply.picture.content)) as card:
        assert card.format == "JPEG"
    assert reply.picture.alt_text == "Card: the faces beside Star 1"
    assert labels(reply) == ["More look-alikes", "Details", "Hear it", "Share", "Delete"]


async def test_all_is_said_in_the_askers_language(desk: PhotoDesk, asker: Asker) -> None:
    """The face in Spanish; the caption stays English and says so."""
    reply = await desk.handle_photo(replace(asker, language="es-MX"), [picture()])
    assert "Rostro ovalado, pelo castaño ondulado." in reply.text
    assert "La descripción de la imagen está escrita en inglés." in reply.text
    assert "A person smiles." in reply.text
    assert reply.language == "es"


async def test_pages_go_through_the_top_ten(desk: PhotoDesk, asker: Asker) -> None:
    """Five look-alikes a page, forth and back."""
    reply = await desk.handle_photo(asker, [picture()])
    first = await desk.handle_press(asker, data(reply, "More look-alikes"))
    second = await desk.handle_press(asker, data(first, "Next"))
    assert [line.text[:2] for line in second.lines if line.kind is LineKind.MATCH] == [
        "6.", "7.", "8.", "9.", "10",
    ]  # fmt: skip
    assert "Next" not in labels(second)
    again = await desk.handle_press(asker, data(second, "Previous"))
    assert again.lines == first.lines
    assert (await desk.handle_press(asker, data(second, "Back"))).lines == reply.lines


async def test_several_faces_are_numbered_from_left_to_right(
    server: FakeServer, desk: PhotoDesk, asker: Asker
) -> None:
    """The largest comes first from the server, the leftmost first in the answer."""
    server.script = lambda _: analysis(face(x=300, first=7), face(x=10, first=1))
    reply = await desk.handle_photo(asker, [picture()])
    assert reply.text.index("Face 1") < reply.text.index("Star 1") < reply.text.index("Face 2")
    other = await desk.handle_press(asker, data(reply, "Another face"))
    assert other.lines[0].text == "Look-alikes of face 2"
    assert "Star 7" in other.lines[1].text
    back_to_first = await desk.handle_press(asker, data(other, "Another face"))
    assert back_to_first.lines[0].text == "Look-alikes of face 1"


async def test_a_crowd_is_cut_and_said_so(
    server: FakeServer, desk: PhotoDesk, asker: Asker
) -> None:
    """Six faces are shown, the rest counted."""
    server.script = lambda _: analysis(*(face(x=n * 50) for n in range(9)))
    reply = await desk.handle_photo(asker, [picture()])
    assert "Face 6" in reply.text
    assert "Face 7" not in reply.text
    assert "There are 3 more faces in the picture." in reply.text


async def test_a_crowd_that_the_server_stops_counting_is_said_to_be_larger(
    server: FakeServer, asker: Asker
) -> None:
    """However many faces an answer shows."""
    server.script = lambda _: analysis(*(face(x=n * 50) for n in range(25)))
    for shown, said in ((6, "There are at least 5 more"), (10, "There is at least 1 more")):
        async with PhotoDesk.open(BotSettings(server=server.address, max_faces=shown)) as desk:
            reply = await desk.handle_photo(asker, [picture()])
        assert said in reply.text


async def test_without_a_face_the_caption_is_told_and_what_helps(
    server: FakeServer, desk: PhotoDesk, asker: Asker
) -> None:
    """No card, no look-alike buttons, but a friendly line."""
    server.script = lambda _: analysis(caption="a dog runs")
    reply = await desk.handle_photo(asker, [picture()])
    assert reply.kind is ReplyKind.ANSWER
    assert reply.text.startswith("A dog runs.\n\nI found no face in this picture.")
    assert reply.picture is None
    assert labels(reply) == ["Hear it", "Delete"]


async def test_comparing_shows_both_faces(desk: PhotoDesk, asker: Asker) -> None:
    """A card with both, the likeness, the chance of being the same person."""
    reply = await desk.compare(asker, picture("red"), picture("blue"))
    assert reply.kind is ReplyKind.COMPARISON
    assert reply.picture
    assert "Chance of being the same person: 32%" in reply.text


@pytest.mark.parametrize(
    ("mode", "there", "not_there"),
    [(Mode.DESCRIBE, "wavy brown hair", "Star 1"), (Mode.LOOKALIKE, "Star 1", "wavy brown hair")],
)
async def test_modes_leave_out_what_was_not_asked_for(
    desk: PhotoDesk, asker: Asker, mode: Mode, there: str, not_there: str
) -> None:
    """Descriptions only, or look-alikes only."""
    reply = await desk.handle_photo(asker, [picture()], mode=mode)
    assert there in reply.text
    assert not_there not in reply.text
    assert (reply.picture is None) == (mode is Mode.DESCRIBE)


async def test_what_not_everyone_should_see(
    server: FakeServer, desk: PhotoDesk, asker: Asker
) -> None:
    """Behind a spoiler in private, refused in a group, both by setting."""
    server.script = lambda _: analysis(face(), nsfw_score=0.95)
    assert (await desk.handle_photo(asker, [picture()])).spoiler
    refused = await desk.handle_photo(replace(asker, group=True), [picture()])
    assert (refused.kind, refused.reason, refused.picture) == (ReplyKind.NOTICE, "NSFW", None)
    settings = BotSettings(server=server.address, nsfw_group=NsfwPolicy.SHOW)
    async with PhotoDesk.open(settings) as other:
        shown = await other.handle_photo(replace(asker, group=True), [picture()])
    assert shown.picture
    assert not shown.spoiler


@pytest.mark.parametrize(
    ("code", "reason", "said", "again"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "CORRUPT_PHOTO", "damaged", False),
        (grpc.StatusCode.INVALID_ARGUMENT, "PHOTO_TOO_LARGE", "too large: 20 MB", False),
        (grpc.StatusCode.INVALID_ARGUMENT, "TOO_MANY_PIXELS", "pixels", False),
        (grpc.StatusCode.INVALID_ARGUMENT, "PHOTO_TOO_SMALL", "too small", False),
        (grpc.StatusCode.INVALID_ARGUMENT, "EMPTY_PHOTO", "empty", False),
        (grpc.StatusCode.INVALID_ARGUMENT, "UNSUPPORTED_FORMAT", "no photo", False),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "Many photos are waiting", True),
        (grpc.StatusCode.UNAVAILABLE, "NOT_READY", "cannot look at photos", True),
        (grpc.StatusCode.INTERNAL, "INTERNAL", "Something went wrong", False),
    ],
)
async def test_errors_are_polite(
    server: FakeServer, asker: Asker, code: grpc.StatusCode, reason: str, said: str, again: bool
) -> None:
    """Each says what is wrong and what helps; some offer to try again."""
    server.failures = [Failure(code, reason, retry_after_s=9.0) for _ in range(9)]
    async with PhotoDesk.open(BotSettings(server=server.address, deadline_s=1.0)) as desk:
        reply = await desk.handle_photo(asker, [picture()])
    assert reply.kind is ReplyKind.ERROR
    assert reply.reason == reason
    assert said in reply.text
    assert bool(reply.buttons) == again


async def test_too_many_photos_are_refused_politely(server: FakeServer, asker: Asker) -> None:
    """Per person, and per group whoever sends them."""
    settings = BotSettings(server=server.address, photos_per_minute=3, chat_photos_per_minute=4)
    async with PhotoDesk.open(settings) as desk:
        kinds = [(await desk.handle_photo(asker, [picture()])).kind for _ in range(4)]
        assert kinds == [ReplyKind.ANSWER] * 3 + [ReplyKind.LIMITED]
        group = replace(asker, group=True, chat="group")
        replies = [
            await desk.handle_photo(replace(group, user=f"u{n}"), [picture()]) for n in range(5)
        ]
    assert [r.kind for r in replies] == [ReplyKind.ANSWER] * 4 + [ReplyKind.LIMITED]
    assert replies[-1].retry_after_s
    assert "Please try again in" in replies[-1].text


async def test_the_server_is_not_asked_for_more_than_it_should_be(
    server: FakeServer, asker: Asker
) -> None:
    """However many ask, only so many calls run at a time, and all are answered."""
    server.delay_s = 0.02
    async with PhotoDesk.open(BotSettings(server=server.address, calls_at_once=3)) as desk:
        replies = await asyncio.gather(
            *(desk.handle_photo(replace(asker, user=str(n)), [picture()]) for n in range(12))
        )
    assert all(reply.kind is ReplyKind.ANSWER for reply in replies)
    assert server.most_in_flight <= 3


async def test_an_answer_that_was_forgotten_is_made_again(desk: PhotoDesk, asker: Asker) -> None:
    """After a restart the platform still has the photo; without it the bot says so."""
    press = Press("longgone", Action.MATCHES, 1, 1).data

    async def photos() -> Sequence[bytes]:
        return [picture()]

    reply = await desk.handle_press(asker, press, photos=photos)
    assert reply.lines[1].text.startswith("6. Star 6")
    assert (await desk.handle_press(asker, press)).lines == reply.lines
    desk.forget(asker)
    assert (await desk.handle_press(asker, press)).reason == "EXPIRED"
    assert (await desk.handle_press(asker, "nonsense")).reason == "EXPIRED"


async def test_an_answer_made_again_belongs_to_who_asked(desk: PhotoDesk, asker: Asker) -> None:
    """Not to whoever pressed a button first, where the platform knows better."""

    async def photos() -> Sequence[bytes]:
        return [picture()]

    group = replace(asker, group=True)
    press = Press("longgone", Action.MATCHES, 1).data
    stranger = replace(group, user="somebody")
    await desk.handle_press(stranger, press, photos=photos, owner=asker.user)
    assert desk.may_delete(group, press)
    assert not desk.may_delete(stranger, press)


async def test_what_was_refused_is_not_shown_by_a_button_either(
    server: FakeServer, desk: PhotoDesk, asker: Asker
) -> None:
    """The policy holds when an answer is made again, too."""
    server.script = lambda _: analysis(face(), nsfw_score=0.99)

    async def photos() -> Sequence[bytes]:
        return [picture()]

    press = Press("longgone", Action.MATCHES, 1).data
    group = replace(asker, group=True)
    assert (await desk.handle_press(group, press, photos=photos)).reason == "NSFW"
    assert (await desk.handle_press(asker, press, photos=photos)).spoiler


async def test_only_who_asked_may_delete_in_a_group(desk: PhotoDesk, asker: Asker) -> None:
    """In private everything is one's own."""
    group = replace(asker, group=True)
    reply = await desk.handle_photo(group, [picture()])
    press = data(reply, "Delete")
    assert desk.may_delete(group, press)
    assert not desk.may_delete(replace(group, user="somebody"), press)
    assert desk.may_delete(asker, press)


async def test_a_missing_portrait_does_not_hold_up_the_card(
    server: FakeServer, desk: PhotoDesk, asker: Asker
) -> None:
    """The initials are drawn, and nobody is credited."""
    del server.gallery["celebrities/star-1"]
    reply = await desk.handle_photo(asker, [picture()])
    assert reply.picture
    assert "Painter" not in reply.text


async def test_celebrities_are_found_by_name(desk: PhotoDesk, asker: Asker) -> None:
    """The exact name before longer ones; a portrait that says whom to credit."""
    reply = await desk.celebrity(asker, "star 2")
    assert reply.lines[0].text == "Star 2"
    assert reply.picture
    assert reply.picture.public
    assert "Portrait of Star 2: A. Painter" in reply.text
    nobody = await desk.celebrity(asker, "Nobody Inparticular")
    assert nobody.text == "I know nobody by the name of Nobody Inparticular."
    assert (await desk.celebrity(asker, " ")).reason == "CELEBRITY_NOT_FOUND"
    assert (await desk.celebrity(asker, "Star " * 100)).reason == "CELEBRITY_NOT_FOUND"
    assert (await desk.suggest("Star 1"))[:2] == ["Star 1", "Star 10"]


async def test_another_portrait_has_another_key(
    server: FakeServer, desk: PhotoDesk, asker: Asker
) -> None:
    """Platforms remember pictures by their keys, longer than anybody else does."""
    first = await desk.celebrity(asker, "Star 2")
    server.portrait = picture("navy")
    async with PhotoDesk.open(BotSettings(server=server.address)) as restarted:
        second = await restarted.celebrity(asker, "Star 2")
        third = await restarted.celebrity(asker, "Star 2")
    assert first.picture
    assert second.picture
    assert third.picture
    assert first.picture.key != second.picture.key == third.picture.key


async def test_spoken_words_keep_the_languages_apart(desk: PhotoDesk, asker: Asker) -> None:
    """The caption for an English voice, the rest for the asker's."""
    reply = await desk.handle_photo(asker, [picture()])
    assert desk.spoken_text(reply.key, "fr") == (
        "a person smiles",
        "visage ovale, cheveux bruns ondulés. Ressemble à Star 1",
    )
    assert desk.spoken_text("unknown", "fr") is None
