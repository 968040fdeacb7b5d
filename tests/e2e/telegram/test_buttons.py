"""Buttons and commands over HTTP."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

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
    assert "Only who asked" in no.fields["text"]
    await world.press(sent.buttons["Delete"], sent, message)
    [deleted] = await world.until("deleteMessage")
    assert int(deleted.fields["message_id"]) == sent.message_id
    world.refusals.clear()  # who is an admin is not something the emulator knows


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
