"""Commands in the menu of a message."""

from __future__ import annotations

from tests.support.discord_world import buttons, dm_menu, embed_text, files
from tests.support.fake_server import analysis, face, picture

DESCRIBE = "Describe this photo"
LOOKALIKE = "Who does this look like?"


async def test_the_photo_of_somebodys_message_is_answered(scene):
    """Anyone may ask about a photo in the channel, without the message-content intent."""
    message = await scene.bob.send(scene.channel, attachments=[("b.jpg", picture())])
    result = await scene.alice.context_menu(scene.channel, LOOKALIKE, message)
    assert "Star 1" in embed_text(result.response)
    assert "Share" in buttons(result.response)
    assert not scene.bot.intents.message_content


async def test_the_photo_of_a_message_is_described(scene):
    """The other command puts it into words."""
    message = await scene.bob.send(scene.channel, attachments=[("b.jpg", picture())])
    result = await scene.alice.context_menu(scene.channel, DESCRIBE, message)
    assert "A person smiles" in embed_text(result.response)
    assert "Star" not in embed_text(result.response)


async def test_several_photos_of_a_message_are_answered_at_once(scene):
    """Three photos, and a text file between them: one answer about the photos."""
    captions = iter(["a dog", "a cat", "a cow"])
    scene.server.script = lambda _: analysis(caption=next(captions))
    message = await scene.bob.send(
        scene.channel,
        attachments=[
            ("1.jpg", picture("red")),
            ("notes.txt", b"hello"),
            ("2.webp", picture("green", file_format="WEBP")),
            ("3.png", picture("blue", file_format="PNG")),
        ],
    )
    result = await scene.alice.context_menu(scene.channel, LOOKALIKE, message)
    text = embed_text(result.response)
    assert "Photo 3" in text
    assert scene.server.count("AnalyzePhoto") == 3
    assert sorted(await files(scene.env, result.response))[-3:] == [
        "photo-1.jpg",
        "photo-2.jpg",
        "photo-3.jpg",
    ]


async def test_two_photos_with_a_face_each_are_compared(scene):
    """Two photos in one message also tell how alike the two are."""
    scene.server.script = lambda _: analysis(face())
    message = await scene.bob.send(
        scene.channel, attachments=[("1.jpg", picture("red")), ("2.jpg", picture("blue"))]
    )
    result = await scene.alice.context_menu(scene.channel, LOOKALIKE, message)
    assert "64 of 100" in embed_text(result.response)
    assert "Another face" in buttons(result.response)


async def test_a_message_without_a_photo_is_explained_in_private(scene):
    """Words alone get a friendly line, for the asker's eyes only."""
    message = await scene.bob.send(scene.channel, "just words")
    result = await scene.alice.context_menu(scene.channel, DESCRIBE, message)
    assert result.ephemeral
    assert "no photo" in embed_text(result.response)
    assert scene.server.calls == []


async def test_the_menu_works_in_direct_messages(scene):
    """The same commands are there in a direct message."""
    user = scene.alice.user
    photo = await user.send_dm(
        attachments=scene.env.backend.store_attachments(user.dm_channel.id, [("me.jpg", picture())])
    )
    result = await dm_menu(scene.env, user, DESCRIBE, photo)
    assert "A person smiles" in embed_text(result.response)
