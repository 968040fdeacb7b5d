"""Photos in plain messages: direct ones, mentions, watched channels, and all the others."""

from __future__ import annotations

import discord
import grpc
import pytest
import simcord
from simcord.backend import serializers

from tests.support.discord_world import buttons, embed_text, make_bot, speaking, world
from tests.support.fake_server import Failure, analysis, face, picture

PHOTO = ("me.jpg", picture())


async def send_dm(scene, *attachments, text=""):
    user = scene.alice.user
    stored = scene.env.backend.store_attachments(user.dm_channel.id, attachments)
    return await user.send_dm(text, attachments=stored)


def last_dm(scene):
    return scene.alice.user.dm_channel.last_message


async def test_a_photo_in_a_direct_message_is_answered(scene):
    """One reply to the photo, with typing shown first."""
    photo = await send_dm(scene, PHOTO)
    answer = last_dm(scene)
    assert "Star 1" in embed_text(answer)
    assert answer.reference.message_id == photo.id
    paths = [request.path for request in scene.env.http_requests]
    assert paths.index(f"/channels/{photo.channel.id}/typing") < paths.index(
        f"/channels/{photo.channel.id}/messages"
    )


async def test_several_photos_get_one_answer(scene):
    """An album is one message on Discord, and gets one answer."""
    scene.server.script = lambda _: analysis(face(), face(x=90))
    await send_dm(scene, PHOTO, ("2.jpg", picture("red")), ("3.jpg", picture("blue")))
    user_messages = scene.alice.user.dm_channel.history()
    assert len(user_messages) == 2
    assert "Face 6" in embed_text(last_dm(scene))


async def test_a_photo_that_cannot_be_read_does_not_cost_the_others(scene, monkeypatch):
    """It is named beside the answer about those that can, also after a restart."""
    get = scene.env.backend.cdn.get
    monkeypatch.setattr(
        scene.env.backend.cdn, "get", lambda url: None if "gone" in str(url) else get(url)
    )
    await send_dm(scene, PHOTO, ("gone.jpg", picture("red")), ("3.jpg", picture("blue")))
    answer = last_dm(scene)
    assert "Photo 2: This photo is damaged" in embed_text(answer)
    assert "Face 2" in embed_text(answer)
    assert scene.server.count("AnalyzePhoto") == 2
    await scene.restart()
    await scene.alice.user.click(answer, label="More look-alikes")
    assert "Star 4" in embed_text(last_dm(scene))


async def test_words_in_a_direct_message_are_answered_with_help(scene):
    """Somebody who writes without a photo learns what to do."""
    await send_dm(scene, text="hello?")
    assert "Give me a photo" in embed_text(last_dm(scene))


async def test_the_language_of_the_client_is_remembered_for_plain_messages(scene):
    """A message tells no language; that of the person's last command is taken."""
    with speaking("fr"):
        await scene.alice.slash(scene.channel, "help")
    await send_dm(scene, text="bonjour")
    assert "Bonjour" in embed_text(last_dm(scene))


async def test_a_file_that_is_no_photo_is_explained(scene):
    """A document gets a polite line about what can be read."""
    await send_dm(scene, ("report.pdf", b"%PDF"))
    assert "JPEG" in embed_text(last_dm(scene))
    assert scene.server.calls == []


async def test_a_mention_beside_a_photo_is_answered_without_pinging(scene):
    """In a server, the bot answers who mentions it, and pings nobody."""
    await scene.alice.send(scene.channel, f"<@{scene.bot.user.id}> look", attachments=[PHOTO])
    answer = scene.channel.last_message
    assert "Star 1" in embed_text(answer)
    assert answer.mentions == []


async def test_other_photos_in_a_channel_are_left_alone(scene):
    """Nobody asked, so nothing is read and nothing said."""
    await scene.alice.send(scene.channel, "my holiday", attachments=[PHOTO])
    assert scene.channel.last_message.author.id == scene.alice.id
    assert scene.server.calls == []


async def test_a_mention_alone_explains_itself_but_talk_about_an_answer_does_not(scene):
    """A bare mention gets help; a reply to an answer, which mentions the bot, gets nothing."""
    await scene.alice.send(scene.channel, f"<@{scene.bot.user.id}>")
    helped = scene.channel.last_message
    assert "Give me a photo" in embed_text(helped)
    await scene.bob.send(scene.channel, "how funny", reply_to=helped)
    assert scene.channel.last_message.content == "how funny"


async def test_bots_and_webhooks_are_not_answered(scene):
    """Two bots never talk each other to death."""
    robot = scene.guild.add_member(scene.env.create_user("robot", bot=True))
    await robot.send(scene.channel, f"<@{scene.bot.user.id}>", attachments=[PHOTO])
    hook = scene.guild.create_webhook(scene.channel, name="hook")
    await hook.send(f"<@{scene.bot.user.id}>", attachments=[PHOTO])
    assert scene.server.calls == []


async def test_a_message_told_of_twice_is_answered_once(scene):
    """After a reconnect Discord may tell of a message again."""
    message = await scene.alice.send(scene.channel, f"<@{scene.bot.user.id}>", attachments=[PHOTO])
    stored = scene.env.backend.get_message(scene.channel.id, message.id)
    scene.env.backend.emit("MESSAGE_CREATE", serializers.message_payload(scene.env.backend, stored))
    await scene.env.settle()
    assert scene.server.count("AnalyzePhoto") == 1


@pytest.mark.parametrize(
    ("denied", "embeds", "picture_shown"),
    [
        ({"embed_links": False}, 0, True),
        ({"attach_files": False}, 1, False),
        ({"read_message_history": False}, 1, True),
    ],
)
async def test_answers_make_do_with_what_the_bot_may_do(scene, denied, embeds, picture_shown):
    """Where embeds or files are forbidden, the words still arrive."""
    me = scene.bot.user
    narrow = scene.guild.create_text_channel(
        "narrow", overwrites={me: discord.PermissionOverwrite(**denied)}
    )
    await scene.alice.send(narrow, f"<@{me.id}>", attachments=[PHOTO])
    (answer,) = [m for m in narrow.history() if m.author.id == me.id]
    assert len(answer.embeds) == embeds
    assert "Star 1" in (embed_text(answer) or answer.content)
    stored = scene.env.backend.get_message(narrow.id, answer.id)
    assert bool(stored.attachments) == picture_shown


async def test_a_channel_closed_to_the_bot_stays_silent(scene):
    """Where the bot may not write, nothing fails."""
    me = scene.bot.user
    closed = scene.guild.create_text_channel(
        "closed", overwrites={me: discord.PermissionOverwrite(send_messages=False)}
    )
    await scene.alice.send(closed, f"<@{me.id}>", attachments=[PHOTO])
    assert closed.last_message.author.id == scene.alice.id


async def test_a_reply_that_points_at_a_photo_needs_the_intent(server, tmp_path):
    """With message content, "@bot who is this?" under somebody's photo is answered."""
    bot = make_bot(server.address, tmp_path, discord_watch=True)
    async with world(bot) as env:
        guild = env.create_guild()
        channel = guild.create_text_channel("general")
        alice = guild.add_member(env.create_user("alice"))
        photo = await alice.send(channel, attachments=[PHOTO])
        await alice.send(channel, f"<@{bot.user.id}> who?", reply_to=photo)
        assert "Star 1" in embed_text(channel.last_message)


class TestWatch:
    """Channels in which every photo is answered."""

    @pytest.fixture
    async def watched(self, server, tmp_path):
        bot = make_bot(server.address, tmp_path, discord_watch=True)
        async with world(bot) as env:
            guild = env.create_guild()
            channel = guild.create_text_channel("photos")
            role = guild.create_role(
                "Admins", permissions=discord.Permissions(manage_channels=True)
            )
            admin = guild.add_member(env.create_user("admin"), roles=[role])
            alice = guild.add_member(env.create_user("alice"))
            yield env, guild, channel, admin, alice

    async def test_photos_are_answered_while_watched(self, watched):
        """From /watch on to /watch off every photo is answered, words never are."""
        _, guild, channel, admin, alice = watched
        other = guild.create_text_channel("other")
        result = await admin.slash(channel, "watch on")
        assert f"<#{channel.id}>" in embed_text(result.response)
        assert result.ephemeral
        await alice.send(channel, attachments=[PHOTO])
        assert "Star 1" in embed_text(channel.last_message)
        assert "Delete" in buttons(channel.last_message)
        await alice.send(channel, "nice!")
        assert channel.last_message.content == "nice!"
        await alice.send(other, attachments=[PHOTO])
        assert other.last_message.author.id == alice.id
        await admin.slash(other, "watch off", channel=channel)
        await alice.send(channel, attachments=[PHOTO])
        assert channel.last_message.author.id == alice.id

    @pytest.mark.parametrize(
        ("failure", "nsfw_score"),
        [
            (Failure(grpc.StatusCode.INTERNAL, "INTERNAL"), 0.0),
            (Failure(grpc.StatusCode.INVALID_ARGUMENT, "CORRUPT_PHOTO"), 0.0),
            (None, 0.97),
        ],
    )
    async def test_what_is_no_answer_is_kept_from_those_who_did_not_ask(
        self, watched, server, failure, nsfw_score
    ):
        """Errors and refusals are told to who mentions the bot, and not to the whole channel."""
        _, _, channel, admin, alice = watched
        await admin.slash(channel, "watch on")
        server.script = lambda _: analysis(face(), nsfw_score=nsfw_score)
        server.failures = [failure] * 2 if failure else []
        await alice.send(channel, attachments=[PHOTO])
        assert channel.last_message.author.id == alice.id
        assert server.count("AnalyzePhoto") == 1
        await alice.send(channel, f"<@{watched[0].bot.user.id}>", attachments=[PHOTO])
        assert channel.last_message.author.id == watched[0].bot.user.id

    async def test_threads_of_a_watched_channel_are_watched(self, watched):
        """A thread belongs to its channel."""
        env, guild, channel, admin, alice = watched
        await admin.slash(channel, "watch on")
        thread = env.backend.create_thread(channel.id, "thread", alice.id)
        handle = type(channel)(env, guild, thread)
        await alice.send(handle, attachments=[PHOTO])
        assert "Star 1" in embed_text(handle.last_message)

    async def test_a_watched_channel_stays_watched_after_a_restart(self, watched, server):
        """Which channels are watched is stored."""
        env, _, channel, admin, alice = watched
        await admin.slash(channel, "watch on")
        old = env.bot
        folder = old.settings.data_dir
        await env.restart_bot(make_bot(server.address, folder, discord_watch=True))
        await old.desk.close()
        await old.store.close()
        await alice.send(channel, attachments=[PHOTO])
        assert "Star 1" in embed_text(channel.last_message)

    async def test_only_those_who_manage_channels_may_watch(self, watched):
        """Others do not even see the command, and a server that shows it is not obeyed."""
        env, guild, channel, _, alice = watched
        with pytest.raises(simcord.SetupError, match="default-member-permissions"):
            await alice.slash(channel, "watch on")
        command = env.backend.find_command("watch", guild.id, type=1)
        guild.set_command_permissions(int(command["id"]), {alice: True})
        result = await alice.slash(channel, "watch on")
        assert "manage channels" in embed_text(result.response)
        assert not await env.bot.store.is_watched(str(channel.id))


async def test_watch_is_not_offered_without_the_intent(scene):
    """Unless the operator allows it, there is no /watch and no privileged intent."""
    names = scene.alice.available_commands(scene.channel)
    assert "lookalike" in names
    assert not any(name.startswith("watch") for name in names)
