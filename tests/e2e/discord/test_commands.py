"""Slash commands, from the person's client to the model server and back."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from bots.core.limits import RateLimit
from tests.support.discord_world import buttons, embed_text, files, speaking
from tests.support.fake_server import analysis, face, picture

PHOTO = ("me.jpg", picture("navy", (1600, 1200)))


async def test_lookalike_answers_with_card_words_and_buttons(scene):
    """One message holds the card, the caption, the face, three names, a credit, buttons."""
    result = await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO)
    answer = result.response
    assert not answer.ephemeral
    text = embed_text(answer)
    assert "A person smiles" in text
    assert "wavy brown hair" in text
    assert "3. Star 3" in text
    assert "Star 4" not in text
    assert "CC BY" in text
    shown = await files(scene.env, answer)
    card = Image.open(io.BytesIO(shown["lookalike.jpg"]))
    card.load()
    assert card.width > 300
    assert set(buttons(answer)) == {"More look-alikes", "Details", "Hear it", "Share", "Delete"}
    assert scene.server.count("AnalyzePhoto") == 1


async def test_work_is_shown_before_the_server_is_asked(scene):
    """The interaction is deferred first of all, so that Discord's three seconds never run out."""
    asked_after: list[int] = []

    def script(_: bytes):
        asked_after.append(len(scene.env.http_requests))
        return analysis(face())

    before = len(scene.env.http_requests)
    scene.server.script = script
    await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO)
    first = scene.env.http_requests[before]
    assert first.path.endswith("/callback")
    assert first.json["type"] == 5
    assert asked_after[0] > before


async def test_describe_shows_the_photo_without_look_alikes(scene):
    """/describe puts the photo into words, and names nobody."""
    result = await scene.alice.slash(scene.channel, "describe", photo=PHOTO)
    text = embed_text(result.response)
    assert "A person smiles" in text
    assert "wavy brown hair" in text
    assert "Star" not in text
    assert list(await files(scene.env, result.response)) == ["photo-1.jpg"]


async def test_copy_of_the_photo_is_small_and_carries_no_metadata(scene):
    """The copy that others see tells neither place nor camera."""
    photo = Image.new("RGB", (3000, 2000), "olive")
    exif = Image.Exif()
    exif[0x0110] = "Spy camera"
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 29.0)
    exif[0x0112] = 6  # turned by a quarter
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", exif=exif)
    result = await scene.alice.slash(
        scene.channel, "lookalike", photo=("me.jpg", buffer.getvalue())
    )
    shown = await files(scene.env, result.response)
    copy = Image.open(io.BytesIO(shown["photo-1.jpg"]))
    assert copy.size == (427, 640)
    assert not copy.getexif()


async def test_private_answer_is_for_the_asker_only(scene):
    """With "private", nobody else sees anything of it."""
    result = await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO, private=True)
    assert result.response.ephemeral
    assert "Star 1" in embed_text(result.response)
    assert scene.channel.history(viewer=scene.bob) == []


async def test_nobody_is_pinged_by_what_an_answer_says(scene):
    """A name that looks like a mention pings nobody."""
    scene.server.script = lambda _: analysis(face(), caption="@everyone <@1> look")
    await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO)
    sent = [r for r in scene.env.http_requests if r.method in {"POST", "PATCH"} and r.json]
    bodies = [body.get("data") or body for body in (r.json for r in sent) if "embeds" in body]
    assert bodies
    assert all(body["allowed_mentions"] == {"parse": []} for body in bodies)


async def test_compare_tells_how_alike_two_photos_are(scene):
    """/compare answers with both faces side by side and one score."""
    result = await scene.alice.slash(
        scene.channel, "compare", first=PHOTO, second=("b.png", picture("red", file_format="PNG"))
    )
    assert "64 of 100" in embed_text(result.response)
    assert Image.open(io.BytesIO((await files(scene.env, result.response))["lookalike.jpg"])).width
    assert scene.server.count("CompareFaces") == 1


async def test_compare_without_a_face_is_explained_in_private(scene):
    """Where a photo shows no face, only the asker is told so, and the channel stays clean."""
    scene.server.script = lambda _: analysis()
    result = await scene.alice.slash(scene.channel, "compare", first=PHOTO, second=PHOTO)
    (whisper,) = result.followups
    assert whisper.ephemeral
    assert "no face" in embed_text(whisper)
    assert scene.channel.history(viewer=scene.bob) == []


async def test_compare_with_what_is_no_photo_says_so(scene):
    """Both photos are needed: what is wrong with one of them is the reply."""
    huge = ("huge.jpg", bytes(20 * 2**20 + 1))
    result = await scene.alice.slash(scene.channel, "compare", first=PHOTO, second=huge)
    assert "too large" in embed_text(result.followups[0])
    assert scene.server.calls == []


async def test_celebrity_is_shown_and_completed(scene):
    """/celebrity completes names while typing and shows portrait, words and credit."""
    choices = await scene.alice.autocomplete(scene.channel, "celebrity", "name", "star 2")
    assert choices[0] == {"name": "Star 2", "value": "Star 2"} | choices[0]
    assert len(choices) == 11
    result = await scene.alice.slash(scene.channel, "celebrity", name="Star 7")
    text = embed_text(result.response)
    assert "Star 7" in text
    assert "The 7" in text
    assert "A. Painter" in text
    assert (await files(scene.env, result.response))["lookalike.jpg"] == scene.server.portrait


async def test_unknown_celebrity_is_said_in_private(scene):
    """A name that nobody has is answered for the asker's eyes only."""
    result = await scene.alice.slash(scene.channel, "celebrity", name="Nobody Atall")
    assert result.followups[0].ephemeral
    assert "Nobody Atall" in embed_text(result.followups[0])


async def test_autocomplete_is_empty_when_the_server_is_away(scene):
    """Typing a name never fails, even where nothing can be suggested."""
    scene.server.gallery.clear()
    assert await scene.alice.autocomplete(scene.channel, "celebrity", "name", "x") == []


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("es-419", "Hola"),
        ("hi", "नमस्ते"),
        ("fr", "Bonjour"),
        ("de", "Hallo"),
        ("pt-BR", "Olá"),
        ("ru", "Привет"),
        ("ja", "Hello"),
    ],
)
async def test_the_clients_language_is_spoken(scene, locale, words):
    """Whoever has not chosen a language is answered in that of the client, else in English."""
    with speaking(locale):
        result = await scene.alice.slash(scene.channel, "help")
    assert words in embed_text(result.response)
    assert result.ephemeral


async def test_chosen_language_wins_and_can_be_given_back(scene):
    """/language holds for everything, survives a restart, and ends with "as in my Discord"."""
    result = await scene.alice.slash(scene.channel, "language", language="ar")
    assert "العربية" in embed_text(result.response)
    await scene.restart()
    answer = await scene.alice.slash(scene.channel, "help")
    assert "مرحبًا" in embed_text(answer.response)
    await scene.alice.slash(scene.channel, "language", language="auto")
    answer = await scene.alice.slash(scene.channel, "help")
    assert "Hello" in embed_text(answer.response)


async def test_settings_choose_what_answers_tell(scene):
    """/settings changes what a plain photo is answered with."""
    shown = await scene.alice.slash(scene.channel, "settings")
    assert "Everything" in embed_text(shown.response)
    shown = await scene.alice.slash(scene.channel, "settings", answers="describe")
    assert "What the photo shows" in embed_text(shown.response)
    await scene.alice.send(
        scene.channel, f"<@{scene.bot.user.id}>", attachments=[("a.jpg", picture())]
    )
    text = embed_text(scene.channel.last_message)
    assert "A person smiles" in text
    assert "Star" not in text


async def test_privacy_says_what_becomes_of_a_photo(scene):
    """/privacy speaks of the photo, of its copy, and of what is stored."""
    result = await scene.alice.slash(scene.channel, "privacy")
    text = embed_text(result.response)
    assert "forgotten" in text
    assert "small copy" in text
    assert "/forget" in text
    assert result.ephemeral


async def test_forget_me_deletes_settings_and_answers(scene):
    """After /forget_me neither the language nor the answer is known any more."""
    await scene.alice.slash(scene.channel, "language", language="de")
    await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO)
    assert len(scene.bot.desk.answers) == 1
    await scene.alice.slash(scene.channel, "forget_me")
    assert len(scene.bot.desk.answers) == 0
    assert await scene.bot.store.language(str(scene.alice.id)) is None


async def test_too_many_commands_are_refused_politely_until_later(scene):
    """Past the limit one is asked to wait, in private; a minute later all is well again."""
    scene.bot.commands_limit = RateLimit(2, lambda: scene.env.now().timestamp())
    for _ in range(2):
        await scene.alice.slash(scene.channel, "help")
    limited = await scene.alice.slash(scene.channel, "help")
    assert limited.ephemeral
    assert "in a moment" in embed_text(limited.response)
    other = await scene.bob.slash(scene.channel, "help")
    assert "Hello" in embed_text(other.response)
    await scene.env.advance_time(60)
    again = await scene.alice.slash(scene.channel, "help")
    assert "Hello" in embed_text(again.response)


@pytest.mark.bot_settings(photos_per_minute=1)
async def test_too_many_photos_are_refused_politely(scene):
    """Past the limit for photos, the asker alone is told when to come again."""
    await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO)
    result = await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO)
    assert "try again" in embed_text(result.followups[0])
    assert result.followups[0].ephemeral
    assert scene.server.count("AnalyzePhoto") == 1
