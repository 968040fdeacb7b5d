"""Buttons under answers: pressed by the asker, by others, and after a restart."""

from __future__ import annotations

import asyncio
import io

import av
import discord
import pytest
from PIL import Image

from tests.support.discord_world import buttons, embed_text, files, speaking
from tests.support.fake_server import analysis, face, picture

PHOTO = ("me.jpg", picture("navy", (1200, 900)))


@pytest.fixture
async def answer(scene):
    """An answer to Alice that everybody sees."""
    scene.server.script = lambda _: analysis(face(x=10), face(x=90, first=11))
    result = await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO)
    return result.response


async def test_pages_turn_in_the_message(scene, answer):
    """Further look-alikes, back and forth, and back to the answer, all in one message."""
    await scene.alice.click(answer, label="More look-alikes")
    assert "5. Star 5" in embed_text(answer)
    await scene.alice.click(answer, label="Next")
    assert "10. Star 10" in embed_text(answer)
    await scene.alice.click(answer, label="Previous")
    assert "1. Star 1" in embed_text(answer)
    await scene.alice.click(answer, label="Back")
    assert "A person smiles" in embed_text(answer)
    assert len(scene.channel.history()) == 1
    assert scene.server.count("AnalyzePhoto") == 1


async def test_each_page_brings_its_card_and_keeps_the_copy(scene, answer):
    """A page has a card of its own, and the photo stays beside it."""
    before = await files(scene.env, answer)
    await scene.alice.click(answer, label="More look-alikes")
    after = await files(scene.env, answer)
    assert sorted(after) == ["lookalike.jpg", "photo-1.jpg"]
    assert after["photo-1.jpg"] == before["photo-1.jpg"]
    assert after["lookalike.jpg"] != before["lookalike.jpg"]
    Image.open(io.BytesIO(after["lookalike.jpg"])).load()


async def test_another_face_has_its_own_look_alikes(scene, answer):
    """With several faces one goes from face to face."""
    await scene.alice.click(answer, label="Another face")
    assert "face 2" in embed_text(answer)
    assert "Star 11" in embed_text(answer)


async def test_details_tell_how_the_score_is_made(scene, answer):
    """Cosine, chance and quality are explained."""
    await scene.alice.click(answer, label="Details")
    assert "cosine" in embed_text(answer)


async def test_an_answer_is_read_aloud(scene, answer):
    """The spoken answer is an Ogg file with sound in it, for the one who asked for it."""
    result = await scene.bob.click(answer, label="Hear it")
    (spoken,) = [result.response, *result.followups][-1:]
    assert spoken.ephemeral
    (file,) = (await files(scene.env, spoken)).items()
    assert file[0] == "lookalike.ogg"
    with av.open(io.BytesIO(file[1])) as container:
        assert container.streams.audio[0].codec_context.name in {"opus", "libopus"}
        assert sum(frame.samples for frame in container.decode(audio=0)) > 16_000


async def test_shared_card_stands_alone(scene, answer):
    """Sharing posts the card for all, without buttons and without the photo."""
    result = await scene.bob.click(answer, label="Share")
    shared = result.response
    assert not shared.ephemeral
    assert "Star 1" in embed_text(shared)
    assert buttons(shared) == {}
    assert list(await files(scene.env, shared)) == ["lookalike.jpg"]
    assert "A person smiles" in embed_text(answer)


async def test_a_private_answer_can_be_shared(scene):
    """From an answer that only the asker sees, the card can be posted for all."""
    result = await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO, private=True)
    assert scene.channel.history(viewer=scene.bob) == []
    await scene.alice.click(result.response, label="Share")
    (shared,) = scene.channel.history(viewer=scene.bob)
    assert "Star 1" in embed_text(shared)


async def test_others_turn_pages_of_their_own(scene, answer):
    """Whoever did not ask gets the page in private, in the own language; the answer stays."""
    with speaking("de"):
        result = await scene.bob.click(answer, label="More look-alikes")
    mine = result.response
    assert mine.ephemeral
    assert "5. Star 5" in embed_text(mine)
    assert "A person smiles" in embed_text(answer)
    await scene.bob.click(mine, custom_id=next(iter(buttons(mine).values())))
    assert "10. Star 10" in embed_text(mine)


async def test_only_the_asker_and_moderators_delete(scene, answer):
    """A stranger is refused in private; a moderator is not, nor is the asker."""
    refused = await scene.bob.click(answer, label="Delete")
    assert refused.ephemeral
    assert "Only the person" in embed_text(refused.response)
    await scene.alice.click(answer, label="Delete")
    assert scene.channel.history() == []
    second = await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO)
    role = scene.guild.create_role("Mods", permissions=discord.Permissions(manage_messages=True))
    moderator = scene.guild.add_member(scene.env.create_user("mod"), roles=[role])
    await moderator.click(second.response, label="Delete")
    assert scene.channel.history() == []


async def test_the_author_of_the_photo_owns_the_reply_to_it(scene):
    """An answer to a mention belongs to who wrote the message."""
    await scene.alice.send(scene.channel, f"<@{scene.bot.user.id}>", attachments=[PHOTO])
    reply = scene.channel.last_message
    refused = await scene.bob.click(reply, label="Delete")
    assert refused.ephemeral
    await scene.alice.click(reply, label="Delete")
    assert [m.author.id for m in scene.channel.history()] == [scene.alice.id]


class TestAfterARestart:
    """A new process knows nothing of earlier answers but what Discord shows of them."""

    async def test_pages_turn_again(self, scene, answer):
        """The photo's copy in the message is looked at anew, once."""
        await scene.restart()
        await scene.alice.click(answer, label="More look-alikes")
        assert "5. Star 5" in embed_text(answer)
        assert scene.server.count("AnalyzePhoto") == 2
        await scene.alice.click(answer, label="Next")
        assert "10. Star 10" in embed_text(answer)
        assert scene.server.count("AnalyzePhoto") == 2

    async def test_replies_find_the_photo_they_reply_to(self, scene):
        """An answer in a direct message has no copy: the photo itself is still there."""
        user = scene.alice.user
        stored = scene.env.backend.store_attachments(user.dm_channel.id, [PHOTO])
        await user.send_dm(attachments=stored)
        reply = user.dm_channel.last_message
        await scene.restart()
        await user.click(reply, label="More look-alikes")
        assert "5. Star 5" in embed_text(user.dm_channel.last_message)

    async def test_answers_are_read_aloud_again(self, scene, answer):
        """Speaking needs the answer, so it is found out again."""
        await scene.restart()
        result = await scene.alice.click(answer, label="Hear it")
        assert list(await files(scene.env, result.response)) == ["lookalike.ogg"]

    async def test_sharing_and_deleting_need_no_memory(self, scene, answer):
        """What the message shows is shared; its owner is known to Discord."""
        await scene.restart()
        shared = await scene.bob.click(answer, label="Share")
        assert "Star 1" in embed_text(shared.response)
        refused = await scene.bob.click(answer, label="Delete")
        assert refused.ephemeral
        await scene.alice.click(answer, label="Delete")
        assert scene.server.count("AnalyzePhoto") == 1

    async def test_what_is_gone_is_said_so(self, scene):
        """With the photo deleted there is nothing to find out, and that is said in private."""
        photo = await scene.alice.send(
            scene.channel, f"<@{scene.bot.user.id}>", attachments=[PHOTO]
        )
        reply = scene.channel.last_message
        await scene.alice.delete(photo)
        await scene.restart()
        result = await scene.alice.click(reply, label="Details")
        (whisper,) = [m for m in (result.response, *result.followups) if m and m.ephemeral]
        assert "no longer remember" in embed_text(whisper)
        assert "A person smiles" in embed_text(reply)


async def test_a_stopping_bot_finishes_what_it_began(scene):
    """Whoever asked just before the bot stops is still answered."""
    scene.server.delay_s = 0.3
    asking = asyncio.create_task(scene.alice.slash(scene.channel, "lookalike", photo=PHOTO))
    while not scene.server.in_flight:  # noqa: ASYNC110 - the fake tells nobody
        await asyncio.sleep(0.01)
    await scene.bot.close()
    result = await asking
    assert "Star 1" in embed_text(result.response)


async def test_a_button_of_another_version_does_no_harm(scene, answer):
    """What nobody understands any more is answered like a forgotten answer."""
    stored = scene.env.backend.get_message(scene.channel.id, answer.id)
    stored.components[0]["components"][0]["custom_id"] = "lookalike:??"
    await scene.alice.click(answer, custom_id="lookalike:??")
    assert len(scene.channel.history()) >= 1
