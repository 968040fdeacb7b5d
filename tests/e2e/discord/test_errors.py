"""What goes wrong is said politely, to the one whom it concerns."""

from __future__ import annotations

import grpc
import pytest

from tests.support.discord_world import buttons, embed_text, make_bot, world
from tests.support.fake_server import Failure, analysis, face, picture, running_server

PHOTO = ("me.jpg", picture())


def whispered(result):
    """What only the asker was told."""
    return "\n".join(
        embed_text(message)
        for message in (result.response, *result.followups)
        if message and message.ephemeral
    )


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("CORRUPT_PHOTO", "damaged"),
        ("UNSUPPORTED_FORMAT", "no photo that I can read"),
        ("TOO_MANY_PIXELS", "too many pixels"),
        ("PHOTO_TOO_SMALL", "too small"),
    ],
)
async def test_a_bad_photo_is_explained_in_private(scene, reason, words):
    """The asker learns what is wrong with the photo; the channel stays clean."""
    scene.server.failures.append(Failure(grpc.StatusCode.INVALID_ARGUMENT, reason))
    result = await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO)
    assert words in whispered(result)
    assert scene.channel.history(viewer=scene.bob) == []


async def test_files_that_cannot_be_photos_are_not_even_read(scene):
    """A document, a drawing in SVG and a file of 20 MiB and a byte go no further."""
    for name, content in (
        ("report.pdf", b"%PDF"),
        ("drawing.svg", b"<svg/>"),
        ("huge.jpg", bytes(20 * 2**20 + 1)),
    ):
        result = await scene.alice.slash(scene.channel, "describe", photo=(name, content))
        assert whispered(result)
    assert scene.server.calls == []


async def test_a_link_that_has_expired_is_explained(scene, monkeypatch):
    """Where Discord gives the file away no more, the asker is invited to send it again."""
    monkeypatch.setattr(scene.env.backend.cdn, "get", lambda _: None)
    result = await scene.alice.slash(scene.channel, "describe", photo=PHOTO)
    assert "again" in whispered(result)
    assert scene.server.calls == []


async def test_a_failure_of_the_server_is_ours(scene):
    """An internal error is said to be on our side, without details."""
    scene.server.failures.append(Failure(grpc.StatusCode.INTERNAL, "INTERNAL", "secret detail"))
    result = await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO)
    assert "on our side" in whispered(result)
    assert "secret" not in whispered(result)


async def test_the_server_may_go_and_come_back(tmp_path):
    """Without a server people are told so; with it back, the button tries again."""
    async with running_server() as first:
        address = first.address
    port = int(address.rpartition(":")[2])
    bot = make_bot(address, tmp_path, deadline_s=0.5)
    async with world(bot) as env:
        guild = env.create_guild()
        channel = guild.create_text_channel("general")
        alice = guild.add_member(env.create_user("alice"))
        result = await alice.slash(channel, "lookalike", photo=PHOTO)
        assert "cannot look" in whispered(result) or "too long" in whispered(result)
        await alice.send(channel, f"<@{bot.user.id}>", attachments=[PHOTO])
        failed = channel.last_message
        assert list(buttons(failed)) == ["Try again"]
        async with running_server(port=port):
            bot.desk.client.deadline_s = 10.0
            await alice.click(failed, label="Try again")
            assert "Star 1" in embed_text(channel.last_message)
            result = await alice.slash(channel, "lookalike", photo=PHOTO)
            assert "Star 1" in embed_text(result.response)


@pytest.mark.logs_errors
async def test_a_bug_is_logged_without_the_photo_and_said(scene, monkeypatch, caplog):
    """Should the bot itself break, the person is told, and the log shows no photo."""

    async def broken(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr(scene.bot.desk, "handle_photo", broken)
    result = await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO)
    said = [embed_text(m) for m in (result.response, *result.followups) if m]
    assert any("Something went wrong" in words for words in said)
    assert "a bug" in caplog.text
    assert "JFIF" not in caplog.text


async def test_an_answer_that_nobody_waits_for_fails_quietly(scene):
    """Where the interaction has expired, nothing is left to do."""
    scene.env.inject_error("PATCH", "/webhooks/*", status=404, code=10015, message="gone")
    await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO)
    answer = await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO)
    assert "Star 1" in embed_text(answer.response)


async def test_discord_refusing_a_reply_is_no_bug(scene):
    """A message that vanished while it was looked at is not answered, and nothing breaks."""
    scene.env.inject_error("POST", "/channels/*/messages", status=400, code=50035)
    await scene.alice.send(scene.channel, f"<@{scene.bot.user.id}>", attachments=[PHOTO])
    assert scene.channel.last_message.author.id == scene.alice.id


async def test_many_faces_fit_into_one_message(scene):
    """Thirty faces with long names neither break a limit nor lose the caption."""

    def crowd(_: bytes):
        faces = [face(x=20 * number) for number in range(30)]
        for one in faces:
            for match in one.matches:
                match.celebrity.display_name = "Maximilian " * 12
        return analysis(*faces, caption="a crowd " * 50)

    scene.server.script = crowd
    result = await scene.alice.slash(scene.channel, "lookalike", photo=PHOTO)
    (embed,) = result.response.embeds
    assert "A crowd" in embed.description
    assert len(embed) <= 6000
