"""Photos over HTTP: what a person sends, and what comes back."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import grpc
import pytest
from lo_bot_api_emulator import ApiRefusal
from PIL import Image

from bots.core.limits import RateLimit
from bots.telegram.journal import JournaledApplication
from lookalike.v1 import photo_pb2
from tests.support.fake_server import Failure, FakeServer, analysis, face, picture, video
from tests.support.telegram_world import TelegramWorld

pytestmark = pytest.mark.usefixtures("bot")
GROUP = -100


async def nothing_more(world: TelegramWorld, count: int) -> None:
    """A little later there are still only so many messages."""
    await asyncio.sleep(0.6)
    assert len(world.sent) == count


async def test_a_photo_gets_one_answer(world: TelegramWorld) -> None:
    """A sign of work, then one message: card, words, buttons, as a reply."""
    message = world.photo_message(picture())
    await world.write(message)
    [sent] = await world.until("sendPhoto")
    assert sent.replies_to == message["message_id"]
    assert sent.picture
    with Image.open(io.BytesIO(sent.picture)) as card:
        card.load()
    assert "<i>A person smiles.</i>" in sent.text
    assert "1. Star 1: likeness 90 of 100" in sent.text
    assert list(sent.buttons) == ["More look-alikes", "Details", "Hear it", "Share", "Delete"]
    assert all(len(data.encode()) <= 64 for data in sent.buttons.values())
    assert world.actions == [1]
    await nothing_more(world, 1)


async def test_the_answer_is_in_the_language_of_the_client(world: TelegramWorld) -> None:
    """Arabic words, Arabic buttons; the caption stays English and says so."""
    await world.write(world.photo_message(picture(), language="ar"))
    [sent] = await world.until("sendPhoto")
    assert "وجه بيضوي، شعر بني مموّج" in sent.text
    assert "وصف الصورة مكتوب بالإنجليزية" in sent.text
    assert "تفاصيل" in sent.buttons


@pytest.mark.parametrize("kind", ["document", "sticker"])
async def test_pictures_come_in_many_ways(
    world: TelegramWorld, server: FakeServer, kind: str
) -> None:
    """As a file, or as a sticker: the bytes reach the server as they are."""
    content = picture("red", file_format="WEBP")
    file: dict[str, Any] = {"file_id": world.asset(content), "file_unique_id": "u"}
    if kind == "document":
        file |= {"mime_type": "image/webp"}
    else:
        file |= {"type": "regular", "width": 64, "height": 64}
        file |= {"is_animated": False, "is_video": False}
    await world.write(world.message(**{kind: file}))
    await world.until("sendPhoto")
    [(_, request)] = [call for call in server.calls if call[0] == "AnalyzePhoto"]
    assert request.photo == content


async def test_of_a_moving_picture_the_first_frame_counts(
    world: TelegramWorld, server: FakeServer
) -> None:
    """A GIF, which Telegram sends as MP4; and a film that cannot be decoded, by its thumbnail."""
    content = picture("gold")
    small = {"file_id": world.asset(content), "file_unique_id": "t", "width": 64, "height": 64}
    for film in (video("red"), b"no film at all"):
        file = {"file_id": world.asset(film), "file_unique_id": "u", "mime_type": "video/mp4"}
        file |= {"width": 96, "height": 64, "duration": 1, "thumbnail": small}
        await world.write(world.message(animation=file))
    await world.until("sendPhoto", 2)
    photos = {request.photo for name, request in server.calls if name == "AnalyzePhoto"}
    assert content in photos
    [frame] = photos - {content}
    with Image.open(io.BytesIO(frame)) as opened:
        assert opened.size == (96, 64)


async def test_what_is_no_picture_is_said_politely(world: TelegramWorld) -> None:
    """A PDF, and a file that is too large to be fetched."""
    pdf = {"file_id": "x", "file_unique_id": "x", "mime_type": "application/pdf"}
    await world.write(world.message(document=pdf))
    [first] = await world.until("sendMessage")
    assert "no photo that I can read" in first.text
    large = {**pdf, "mime_type": "image/png", "file_size": 25_000_000}
    await world.write(world.message(document=large))
    [_, second] = await world.until("sendMessage", 2)
    assert "20 MB is the most" in second.text


async def test_no_face_is_told_kindly(world: TelegramWorld, server: FakeServer) -> None:
    """The caption, and what would help; words only."""
    server.script = lambda _: analysis(caption="a dog runs")
    await world.write(world.photo_message(picture()))
    [sent] = await world.until("sendMessage")
    assert "A dog runs." in sent.text
    assert "It helps when the face looks towards the camera" in sent.text


async def test_a_picture_not_for_everyone_is_hidden(
    world: TelegramWorld, server: FakeServer
) -> None:
    """Behind a spoiler in private (which the emulator does not know), refused in a group."""
    server.script = lambda _: analysis(face(), nsfw_score=0.99)
    spoilers: list[Any] = []

    def look(method: str, fields: dict[str, Any]) -> None:
        if method == "sendPhoto":
            spoilers.append(fields.pop("has_spoiler", None))

    world.refuse = look
    await world.write(world.photo_message(picture()))
    await world.until("sendPhoto")
    assert spoilers == ["true"]
    await world.write(world.photo_message(picture(), chat=GROUP, caption="/lookalike"))
    [sent] = await world.until("sendMessage")
    assert "not be for everyone" in sent.text


async def test_an_album_gets_one_answer(world: TelegramWorld, server: FakeServer) -> None:
    """Three photos that arrive one by one, the downloads of some slower than others."""
    for color in ("red", "green", "blue"):
        await world.write(world.photo_message(picture(color), media_group_id="album"))
        await asyncio.sleep(0.05)
    [sent] = await world.until("sendPhoto")
    assert "Photo 3: A person smiles." in sent.text
    assert server.count("AnalyzePhoto") == 3
    await nothing_more(world, 1)


async def test_two_photos_in_one_message_are_compared(world: TelegramWorld) -> None:
    """An album of two says how alike the faces are."""
    for color in ("red", "blue"):
        await world.write(world.photo_message(picture(color), media_group_id="pair"))
    [sent] = await world.until("sendPhoto")
    assert "The two faces are alike: 64 of 100" in sent.text


async def test_compare_asks_for_two_photos(world: TelegramWorld, server: FakeServer) -> None:
    """/compare, a photo, another photo: how alike they are."""
    await world.write(world.message(text="/compare"))
    await world.until("sendMessage", 1)
    await world.write(world.photo_message(picture("red")))
    [_, second] = await world.until("sendMessage", 2)
    assert "second photo" in second.text
    await world.write(world.photo_message(picture("blue")))
    [sent] = await world.until("sendPhoto")
    assert "The two faces are alike: 64 of 100" in sent.text
    [(_, request)] = [call for call in server.calls if call[0] == "CompareFaces"]
    assert (request.first_photo, request.second_photo) == (picture("red"), picture("blue"))
    await world.write(world.photo_message(picture("red")))
    assert "Star 1" in (await world.until("sendPhoto", 2))[1].text


async def test_compare_waits_for_its_photos_in_a_group_too(world: TelegramWorld) -> None:
    """A reply is opened (which the emulator does not know) for who asked; whose next photos,
    replies or not, are taken.
    """
    markups: list[Any] = []

    def look(method: str, fields: dict[str, Any]) -> None:
        if method == "sendMessage":
            markups.append(world.decoded(fields.pop("reply_markup")))

    world.refuse = look
    await world.write(world.message(chat=GROUP, text="/compare"))
    await world.until("sendMessage", 1)
    await world.write(world.photo_message(picture("gold"), user=2, chat=GROUP))
    await world.write(world.photo_message(picture("red"), chat=GROUP))
    [_, second] = await world.until("sendMessage", 2)
    assert "second photo" in second.text
    await world.write(world.photo_message(picture("blue"), chat=GROUP))
    [sent] = await world.until("sendPhoto")
    assert "The two faces are alike: 64 of 100" in sent.text
    assert markups == [{"force_reply": True, "selective": True}] * 2


async def test_in_groups_the_bot_speaks_when_spoken_to(world: TelegramWorld) -> None:
    """Not to every photo; to a command under one, to a reply to it, to a reply with its name."""
    await world.write(world.photo_message(picture(), chat=GROUP))
    await nothing_more(world, 0)
    await world.write(world.photo_message(picture(), chat=GROUP, caption="/lookalike"))
    await world.until("sendPhoto", 1)
    ours = world.message(chat=GROUP, text="hello")
    ours["from"] = {"id": 7, "is_bot": True, "first_name": "Fixture"}
    await world.write(world.photo_message(picture(), chat=GROUP, reply_to_message=ours))
    await world.until("sendPhoto", 2)
    theirs = world.photo_message(picture(), user=2, chat=GROUP)
    entity = {"type": "text_mention", "offset": 0, "length": 3}
    entity["user"] = {"id": 7, "is_bot": True, "first_name": "Fixture"}
    asked = world.message(
        chat=GROUP, text="bot who is this?", entities=[entity], reply_to_message=theirs
    )
    await world.write(asked)
    sent = (await world.until("sendPhoto", 3))[2]
    assert sent.replies_to == asked["message_id"]
    assert {one.chat for one in world.sent} == {GROUP}


async def test_talk_about_an_answer_is_left_to_people(
    world: TelegramWorld, server: FakeServer
) -> None:
    """Words under the bot's card get no answer, its name there a hint; no card is looked at."""
    card = world.photo_message(picture(), chat=GROUP)
    card["from"] = {"id": 7, "is_bot": True, "first_name": "Fixture"}
    await world.write(world.message(chat=GROUP, text="lol", reply_to_message=card))
    await nothing_more(world, 0)
    entity = {"type": "text_mention", "offset": 0, "length": 3, "user": card["from"]}
    await world.write(
        world.message(chat=GROUP, text="bot?", entities=[entity], reply_to_message=card)
    )
    [hint] = await world.until("sendMessage", 1)
    assert "Send me a photo" in hint.text
    await world.write(world.message(chat=GROUP, text="/describe", reply_to_message=card))
    [_, told] = await world.until("sendMessage", 2)
    assert "Reply to a photo with this command" in told.text
    assert not server.calls


async def test_a_watched_group_gets_every_photo_answered(
    bot: JournaledApplication, world: TelegramWorld, server: FakeServer
) -> None:
    """Where admins want it; what goes wrong with photos that are not for the bot is kept quiet."""
    await bot.bot_data["service"].store.watch(str(GROUP), True)
    await world.write(world.photo_message(picture(), chat=GROUP))
    [sent] = await world.until("sendPhoto")
    assert sent.chat == GROUP
    overloaded = Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", retry_after_s=60)
    server.failures = [overloaded]
    await world.write(world.photo_message(picture(), chat=GROUP))
    await nothing_more(world, 1)
    assert not server.failures
    server.failures = [overloaded]
    await world.write(world.photo_message(picture(), chat=GROUP, caption="/lookalike"))
    [said] = await world.until("sendMessage")
    assert "Many photos are waiting" in said.text


async def test_of_an_album_what_can_be_had_is_answered(world: TelegramWorld) -> None:
    """A file that Telegram no longer has keeps its number, and the answer says what is wrong."""
    messages = [
        world.photo_message(picture(color), media_group_id="album")
        for color in ("red", "green", "blue")
    ]
    del world.assets[messages[1]["photo"][0]["file_id"]]
    for message in messages:
        await world.write(message)
    [sent] = await world.until("sendPhoto")
    assert "Photo 3: A person smiles." in sent.text
    assert "Photo 2: This photo is damaged" in sent.text
    world.refusals.clear()


async def test_where_pictures_are_refused_there_are_words(world: TelegramWorld) -> None:
    """A group that forbids media still gets its answer, and its pages."""

    def refuse(method: str, _fields: dict[str, Any]) -> None:
        if method in {"sendPhoto", "editMessageMedia"}:
            raise ApiRefusal("Bad Request: not enough rights to send photos to the chat")

    world.refuse = refuse
    await world.write(world.photo_message(picture(), chat=GROUP, caption="/lookalike"))
    [sent] = await world.until("sendMessage")
    assert "1. Star 1" in sent.text
    await world.press(sent.buttons["More look-alikes"], sent)
    [edited] = await world.until("editMessageText")
    assert "5. Star 5" in edited.text
    world.refusals.clear()


async def test_a_command_answers_the_photo_that_it_replies_to(world: TelegramWorld) -> None:
    """/describe under somebody's photo: words without look-alikes."""
    theirs = world.photo_message(picture(), user=2, chat=GROUP)
    await world.write(world.message(chat=GROUP, text="/describe", reply_to_message=theirs))
    [sent] = await world.until("sendMessage")
    assert "wavy brown hair" in sent.text
    assert "Star" not in sent.text


async def test_answers_go_to_whoever_asked(world: TelegramWorld, server: FakeServer) -> None:
    """Twenty people at once, each with a photo of their own."""

    def script(photo: bytes) -> photo_pb2.AnalyzePhotoResponse:
        return analysis(caption=f"number {Image.open(io.BytesIO(photo)).width}")

    server.script = script
    for user in range(1, 21):
        await world.write(world.photo_message(picture(size=(100 + user, 50)), user=user))
    sent = await world.until("sendMessage", 20)
    assert all(f"Number {100 + one.chat}." in one.text for one in sent)
    await nothing_more(world, 20)


async def test_a_broken_handler_owns_up(
    bot: JournaledApplication, world: TelegramWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever breaks inside, the asker is told; the log tells where, and quotes no one."""
    service = bot.bot_data["service"]

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    service.desk.handle_photo = broken
    await world.write(world.photo_message(picture(), caption="a-very-rare-word"))
    [sent] = await world.until("sendMessage")
    assert "Something went wrong" in sent.text
    assert "RuntimeError" in caplog.text
    assert "a-very-rare-word" not in caplog.text


async def test_a_server_that_is_away_can_be_asked_again(
    world: TelegramWorld, server: FakeServer
) -> None:
    """A polite line with a button; pressed when the server is back, it brings the answer."""
    overloaded = Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", retry_after_s=60)
    server.failures = [overloaded]
    message = world.photo_message(picture())
    await world.write(message)
    [sent] = await world.until("sendMessage")
    assert "Many photos are waiting" in sent.text
    await world.press(sent.buttons["Try again"], sent, message)
    [edited] = await world.until("editMessageMedia")
    assert edited.message_id == sent.message_id
    assert "1. Star 1" in edited.text


async def test_many_photos_of_one_person_wait_their_turn(
    world: TelegramWorld, server: FakeServer
) -> None:
    """Twelve photos at once: all are answered, a few at a time at the server."""
    server.delay_s = 0.2
    for _ in range(12):
        await world.write(world.photo_message(picture()))
    await world.until("sendPhoto", 12)
    assert server.most_in_flight <= 8


async def test_more_than_somebody_may_have_waiting_is_refused(
    bot: JournaledApplication, world: TelegramWorld, server: FakeServer
) -> None:
    """A polite line for what is too much; the rest is answered."""
    bot.bot_data["service"].desk._per_user = RateLimit(100)
    server.delay_s = 1.0
    for _ in range(40):
        await world.write(world.photo_message(picture()))
    await world.until(count=40)
    refused = [one for one in world.sent if one.method == "sendMessage"]
    # Sixteen are being answered, twenty wait.
    assert len(refused) == 4
    assert all("many photos waiting already" in one.text for one in refused)
