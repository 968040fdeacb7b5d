"""Buttons and commands over HTTP."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from lo_bot_api_emulator import ApiRefusal

from bots.telegram.journal import JournaledApplication
from tests.support.fake_server import FakeServer, analysis, face, picture
from tests.support.telegram_bot import running_bot
from tests.support.telegram_world import Sent, TelegramWorld, running_world

GROUP = -100


async def answered(world: TelegramWorld, **more: object) -> tuple[dict[str, object], Sent]:
    """A photo and the answer to it."""
    message = world.photo_message(picture(), **more)  # type: ignore[arg-type]
    before = len(world.sent)
    await world.write(message)
    [sent] = await world.until("sendPhoto", start=before)
    return message, sent


@pytest.mark.usefixtures("bot")
async def test_pages_edit_the_message(world: TelegramWorld) -> None:
    """Other look-alikes, the next page, back: one message all the while, one upload each."""
    message, sent = await answered(world)
    await world.press(sent.buttons["More look-alikes"], sent, message)
    [first] = await world.until("editMessageMedia")
    assert first.message_id == sent.message_id
    assert first.picture
    await world.press(first.buttons["Next"], first, message)
    second = (await world.until("editMessageMedia", 2))[1]
    assert "10. Star 10" in second.text
    await world.press(second.buttons["Back"], second, message)
    back = (await world.until("editMessageMedia", 3))[2]
    assert back.text == sent.text
    assert back.picture is None  # by its file id
    assert len(await world.until("answerCallbackQuery", 3)) == 3


@pytest.mark.usefixtures("bot")
async def test_another_face_and_details(world: TelegramWorld, server: FakeServer) -> None:
    """The second face's look-alikes; how the score is made, under the same picture."""
    server.script = lambda _: analysis(face(), face(x=200, first=7))
    message, sent = await answered(world)
    await world.press(sent.buttons["Details"], sent, message)
    [details] = await world.until("editMessageCaption")
    assert "How the score is made" in details.text
    assert "Similarity of the faces (cosine): 0.90" in details.text
    await world.press(sent.buttons["Another face"], sent, message)
    [other] = await world.until("editMessageMedia")
    assert "Look-alikes of face 2" in other.text
    assert "1. Star 7" in other.text


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is missing")
@pytest.mark.usefixtures("bot")
async def test_the_answer_can_be_heard(world: TelegramWorld) -> None:
    """A voice note in Ogg."""
    message, sent = await answered(world)
    await world.press(sent.buttons["Hear it"], sent, message)
    [voice] = await world.until("sendVoice")
    assert voice.picture
    assert voice.picture.startswith(b"OggS")
    assert voice.replies_to == sent.message_id


async def test_without_a_voice_it_says_so(
    world: TelegramWorld, bot: JournaledApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing can speak, the bot says that instead of nothing."""
    message, sent = await answered(world)
    monkeypatch.setenv("PATH", "/nowhere")
    await world.press(sent.buttons["Hear it"], sent, message)
    [said] = await world.until("sendMessage")
    assert "cannot speak here" in said.text


@pytest.mark.usefixtures("bot")
async def test_delete_is_for_who_asked(world: TelegramWorld) -> None:
    """Somebody else in the group is told no; the asker's press removes the message."""
    message, sent = await answered(world, chat=GROUP, caption="/lookalike")
    world.refusals.clear()
    await world.press(sent.buttons["Delete"], sent, message, user=99)
    [no] = await world.until("answerCallbackQuery")
    assert "Only the person who asked" in no.fields["text"]
    await world.press(sent.buttons["Delete"], sent, message)
    [deleted] = await world.until("deleteMessage")
    assert int(deleted.fields["message_id"]) == sent.message_id
    world.refusals.clear()  # who is an admin is not something the emulator knows


async def test_an_answer_stays_its_askers_after_a_restart(
    world: TelegramWorld, server: FakeServer, tmp_path: Path
) -> None:
    """The message that it answers says whose it is, whoever turned its pages since."""
    async with running_bot(world, server.address, tmp_path):
        message, sent = await answered(world, chat=GROUP, caption="/lookalike")
    async with running_bot(world, server.address, tmp_path):
        await world.press(sent.buttons["More look-alikes"], sent, message, user=99)
        await world.until("editMessageMedia")
        for replied in (message, None):
            before = len(world.sent)
            await world.press(sent.buttons["Delete"], sent, replied, user=99)
            [no] = await world.until("answerCallbackQuery", start=before)
            assert "Only the person who asked" in no.fields["text"]
        await world.press(sent.buttons["Delete"], sent, message)
        await world.until("deleteMessage")
    world.refusals.clear()  # who is an admin is not something the emulator knows


@pytest.mark.usefixtures("bot")
async def test_what_telegram_does_not_delete_is_not_said_to_be_deleted(
    world: TelegramWorld,
) -> None:
    """After two days the message stays, without its buttons; one that is gone is gone."""
    said = ["message can't be deleted for everyone", "message to delete not found"]

    def refuse(method: str, _fields: dict[str, Any]) -> None:
        if method == "deleteMessage":
            raise ApiRefusal(f"Bad Request: {said.pop(0)}")

    world.refuse = refuse
    message, sent = await answered(world)
    for expected in ("no longer lets me delete", "Deleted."):
        before = len(world.sent)
        await world.press(sent.buttons["Delete"], sent, message)
        [told] = await world.until("answerCallbackQuery", start=before)
        assert expected in told.fields["text"]
    assert len([one for one in world.sent if one.method == "editMessageReplyMarkup"]) == 1
    world.refusals.clear()


@pytest.mark.usefixtures("bot")
async def test_what_was_forgotten_can_no_longer_be_shared(world: TelegramWorld) -> None:
    """Neither a deleted answer's card nor those of somebody who wants to be forgotten."""
    _, deleted = await answered(world)
    message, forgotten = await answered(world)
    _, others = await answered(world, user=2)
    await world.press(forgotten.buttons["More look-alikes"], forgotten, message)
    await world.until("editMessageMedia")
    await world.press(deleted.buttons["Delete"], deleted)
    await world.until("deleteMessage")
    keys = [one.buttons["Delete"].partition(".")[0] for one in (deleted, forgotten, others)]

    async def shared() -> list[bool]:
        before = len(world.sent)
        for count, key in enumerate(keys, start=1):
            await world.inline(key)
            found = await world.until("answerInlineQuery", count, start=before)
        return [bool(world.decoded(one.fields.get("results") or "[]")) for one in found]

    assert await shared() == [False, True, True]
    await world.write(world.message(text="/forget_me"))
    await world.until("sendMessage")
    assert await shared() == [False, False, True]


@pytest.mark.usefixtures("bot")
async def test_a_press_that_cannot_be_answered_still_does_its_work(
    world: TelegramWorld,
) -> None:
    """Pages turn and settings change, whether Telegram takes the answer to the press or not."""
    refusals = [ApiRefusal("Bad Request: query is too old"), ApiRefusal("Bad Gateway", 502)]

    def refuse(method: str, _fields: dict[str, Any]) -> None:
        if method == "answerCallbackQuery":
            raise refusals.pop(0)

    world.refuse = refuse
    await world.write(world.message(text="/settings"))
    [menu] = await world.until("sendMessage")
    await world.press(menu.buttons["Look-alikes only"], menu)
    [edited] = await world.until("editMessageText")
    assert "✓ Look-alikes only" in edited.buttons
    message, sent = await answered(world)
    await world.press(sent.buttons["More look-alikes"], sent, message)
    await world.until("editMessageMedia")
    world.refusals.clear()


async def test_a_watched_group_is_told_what_the_bot_cannot_see(
    world: TelegramWorld, bot: JournaledApplication
) -> None:
    """With privacy mode on and no admin's rights; where Telegram shows everything, nothing."""
    service = bot.bot_data["service"]
    await service.store.watch(str(GROUP), True)
    world.admins = {1}
    for admins, reads_all, warned in (
        ({1}, False, True),
        ({1, 7}, False, False),
        ({1}, True, False),
    ):
        world.admins, world.reads_all = admins, reads_all
        before = len(world.sent)
        await world.write(world.message(chat=GROUP, text="/settings"))
        [menu] = await world.until("sendMessage", start=before)
        assert ("make me an admin" in menu.text) == warned
    label = "✓ Answer every photo in this group"
    await world.press(menu.buttons[label], menu)
    [off] = await world.until("editMessageText")
    assert label not in off.buttons
    world.reads_all = False
    await world.press(off.buttons[label.removeprefix("✓ ")], off)
    [_, on] = await world.until("editMessageText", 2)
    assert "make me an admin" in on.text


async def test_buttons_work_after_a_restart(
    world: TelegramWorld, server: FakeServer, tmp_path: Path
) -> None:
    """The photo is still on Telegram: the answer is made anew."""
    async with running_bot(world, server.address, tmp_path):
        message, sent = await answered(world)
    async with running_bot(world, server.address, tmp_path):
        await world.press(sent.buttons["More look-alikes"], sent, message)
        [edited] = await world.until("editMessageMedia")
        assert "5. Star 5" in edited.text
        await world.press(sent.buttons["More look-alikes"], sent)
        alert = (await world.until("answerCallbackQuery", 2))[1]
        assert alert.message_id is None


async def test_buttons_whose_photo_is_gone_say_so(
    world: TelegramWorld, server: FakeServer, tmp_path: Path
) -> None:
    """After a restart, with the asker's message deleted."""
    async with running_bot(world, server.address, tmp_path):
        _, sent = await answered(world)
    async with running_bot(world, server.address, tmp_path):
        await world.press(sent.buttons["More look-alikes"], sent)
        [alert] = await world.until("answerCallbackQuery")
        assert "I no longer remember this answer" in alert.fields["text"]
        await world.press("made up", sent)
        await world.until("answerCallbackQuery", 2)


async def test_a_server_that_cannot_change_pictures_changes_the_words(
    server: FakeServer, tmp_path: Path
) -> None:
    """An older Bot API server: pages go on, in words."""
    async with (
        running_world(edits_media=False) as world,
        running_bot(world, server.address, tmp_path),
    ):
        message, sent = await answered(world)
        await world.press(sent.buttons["More look-alikes"], sent, message)
        [edited] = await world.until("editMessageCaption")
        assert "5. Star 5" in edited.text


@pytest.mark.usefixtures("bot")
async def test_language_is_chosen_and_kept(world: TelegramWorld) -> None:
    """/language, a press, and everything is in Hindi, whatever the client says."""
    await world.write(world.message(text="/language"))
    [menu] = await world.until("sendMessage")
    await world.press(menu.buttons["हिन्दी"], menu)
    [edited] = await world.until("editMessageText")
    assert edited.text == "अब से मैं हिन्दी बोलूँगा।"
    _, sent = await answered(world)
    assert "अंडाकार चेहरा, लहरदार भूरे बाल" in sent.text
    await world.write(world.message(text="/forget_me"))
    assert "मिटा दिए गए" in (await world.until("sendMessage", 2))[1].text
    _, sent = await answered(world)
    assert "wavy brown hair" in sent.text


@pytest.mark.usefixtures("bot")
async def test_settings_choose_what_is_told(world: TelegramWorld) -> None:
    """Descriptions only, until it is changed again."""
    await world.write(world.message(text="/settings"))
    [menu] = await world.until("sendMessage")
    await world.press(menu.buttons["Descriptions only"], menu)
    [edited] = await world.until("editMessageText")
    assert "✓ Descriptions only" in edited.buttons
    await world.write(world.photo_message(picture()))
    sent = (await world.until("sendMessage", 2))[1]
    assert "Star" not in sent.text


@pytest.mark.usefixtures("bot")
async def test_every_command_is_answered(world: TelegramWorld) -> None:
    """Help names all commands; privacy is in plain words; a celebrity has a portrait."""
    await world.write(world.message(text="/start"))
    [start] = await world.until("sendMessage")
    for command in ("/compare", "/celebrity", "/privacy", "/forget_me", "/settings"):
        assert command in start.text
    await world.write(world.message(text="/privacy", language="de"))
    privacy = (await world.until("sendMessage", 2))[1]
    assert "angesehen, beantwortet und vergessen" in privacy.text
    await world.write(world.message(text="/celebrity Star 3"))
    [portrait] = await world.until("sendPhoto")
    assert "<b>Star 3</b>" in portrait.text
    assert portrait.picture
    await world.write(world.message(text="/celebrity Star 3"))
    again = (await world.until("sendPhoto", 2))[1]
    assert again.picture is None  # by its file id
    await world.write(world.message(text="good morning"))
    hint = (await world.until("sendMessage", 3))[2]
    assert "Send me a photo" in hint.text


@pytest.mark.usefixtures("bot")
async def test_sharing_puts_the_card_into_another_chat(world: TelegramWorld) -> None:
    """The inline query with the answer's key finds the card; another finds nothing."""
    _, sent = await answered(world)
    key = sent.buttons["Delete"].partition(".")[0]
    for query in (key, "nonsense"):
        await world.inline(query)
    found, nothing = await world.until("answerInlineQuery", 2)
    assert world.decoded(found.fields["results"])[0]["photo_file_id"] in world.assets
    assert world.decoded(nothing.fields.get("results") or "[]") == []
    await world.press(sent.buttons["Share"], sent)
    [told] = await world.until("answerCallbackQuery")
    assert "Forward" in told.fields["text"]
