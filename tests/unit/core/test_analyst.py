"""Several photos in one message: one answer, whatever is wrong with some of them."""

from __future__ import annotations

import grpc
import pytest
from grpc_status import rpc_status

from bots.core.answer import Asker, Mode
from bots.core.desk import PhotoDesk
from bots.core.errors import BadPhoto
from bots.core.reply import ReplyKind
from bots.core.settings import BotSettings
from lookalike.v1 import photo_pb2
from tests.support.fake_server import (
    Failure,
    FakeServer,
    analysis,
    face,
    picture,
    running_server,
)

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


async def test_an_album_gets_one_answer(server: FakeServer, desk: PhotoDesk, asker: Asker) -> None:
    """Each photo's caption, the faces of all of them, each photo's largest face first served."""
    crowd = picture("red")

    def script(photo: bytes):  # type: ignore[no-untyped-def]
        return analysis(*(face(x=n) for n in range(8))) if photo == crowd else analysis(face())

    server.script = script
    reply = await desk.handle_photo(asker, [crowd, picture("blue"), picture("green")])
    assert "Photo 3: A person smiles." in reply.text
    answer = desk.answers.get(reply.key)
    assert answer
    assert [f.photo for f in answer.faces] == [0, 0, 0, 0, 1, 2]
    assert answer.hidden_faces == 4


async def test_two_photos_are_compared_as_well(desk: PhotoDesk, asker: Asker) -> None:
    """Two photos in one message: how alike the faces are."""
    reply = await desk.handle_photo(asker, [picture("red"), picture("blue")])
    assert "The two faces are alike: 64 of 100" in reply.text


@pytest.mark.parametrize("method", ["CompareFaces", "MatchFaces"])
async def test_an_answer_does_without_what_the_server_fails_at(
    asker: Asker, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """What was found out about the photos is told, whatever becomes of the bonus."""
    overloaded = Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", retry_after_s=60)

    async def broken(_request: object, context: grpc.aio.ServicerContext) -> None:
        await context.abort_with_status(rpc_status.to_status(overloaded.status))

    monkeypatch.setattr(FakeServer, method, staticmethod(broken))
    async with running_server() as one, PhotoDesk.open(BotSettings(server=one.address)) as desk:
        one.same_person_probability = 0.9
        reply = await desk.handle_photo(asker, [picture("red"), picture("blue")])
    assert reply.kind is ReplyKind.ANSWER
    assert "Photo 2: A person smiles." in reply.text


async def test_photos_too_large_to_be_compared_are_answered_each(
    server: FakeServer, desk: PhotoDesk, asker: Asker
) -> None:
    """An album of two large photos; where only their likeness was asked for, it says why not."""
    large = [picture(color) + bytes(13 * 2**20) for color in ("red", "blue")]
    reply = await desk.handle_photo(asker, large)
    assert reply.kind is ReplyKind.ANSWER
    assert "alike" not in reply.text
    compared = await desk.compare(asker, *large)
    assert compared.text == "Together these photos are too large. Please send smaller ones."


async def test_one_bad_photo_does_not_cost_the_album(
    server: FakeServer, desk: PhotoDesk, asker: Asker
) -> None:
    """The others are answered, under their own numbers; what is wrong with it is said."""
    bad = picture("black")

    def script(photo: bytes) -> photo_pb2.AnalyzePhotoResponse:
        if photo == bad:
            raise Failure(grpc.StatusCode.INVALID_ARGUMENT, "CORRUPT_PHOTO")
        return analysis(face())

    server.script = script
    gone = BadPhoto("gone", reason="EMPTY_PHOTO")
    reply = await desk.handle_photo(asker, [picture("red"), bad, gone, picture("blue")])
    assert reply.kind is ReplyKind.ANSWER
    assert reply.text.startswith(
        "Photo 1: A person smiles.\n"
        "Photo 4: A person smiles.\n"
        "Photo 2: This photo is damaged or was cut off on its way. Please send it again.\n"
        "Photo 3: This file is empty."
    )
    answer = desk.answers.get(reply.key)
    assert answer
    assert all(error.__traceback__ is None for error in answer.failed.values())
    failed = await desk.handle_photo(asker, [bad, gone])
    assert (failed.kind, failed.reason) == (ReplyKind.ERROR, "CORRUPT_PHOTO")


async def test_an_album_over_the_limit_is_given_up_at_once(
    server: FakeServer, asker: Asker
) -> None:
    """Nothing of it goes on behind the refusal."""
    server.delay_s = 0.2
    settings = BotSettings(server=server.address, calls_at_once=1, queue_per_user=2)
    async with PhotoDesk.open(settings) as desk:
        reply = await desk.handle_photo(asker, [picture()] * 5)
        assert reply.kind is ReplyKind.LIMITED
        assert desk._queue.waiting == 0
        again = await desk.handle_photo(asker, [picture()])
    assert again.kind is ReplyKind.ANSWER
    assert server.count("AnalyzePhoto") <= 2


async def test_an_album_of_one_person_is_matched_together(
    desk: PhotoDesk, asker: Asker, server: FakeServer
) -> None:
    """Beside each photo's own look-alikes there are those of all of them; else there are not."""
    colors = ("teal", "navy", "gold")
    firsts = {picture(color): first for color, first in zip(colors, (1, 5, 9), strict=True)}
    server.script = lambda photo: analysis(face(first=firsts[photo]))
    reply = await desk.handle_photo(asker, list(firsts))
    _, _, together = reply.text.partition("All photos together look like\n")
    assert together.startswith("1. Star 9: likeness 90 of 100\n2. Star 10")
    assert server.count("MatchFaces") == 1
    described = await desk.handle_photo(asker, list(firsts), mode=Mode.DESCRIBE)
    assert "together" not in described.text
    assert server.count("MatchFaces") == 1

    def two_people(photo: bytes) -> photo_pb2.AnalyzePhotoResponse:
        one = face(first=firsts[photo])
        one.caption.text = f"person {firsts[photo]}"
        return analysis(one)

    server.script = two_people
    refused = await desk.handle_photo(asker, list(firsts))
    assert refused.kind is ReplyKind.ANSWER
    assert "together" not in refused.text
    assert server.count("MatchFaces") == 2


async def test_two_photos_are_taken_together_where_they_are_alike(
    desk: PhotoDesk, asker: Asker, server: FakeServer
) -> None:
    """The comparison says whether it is worth asking; a second face in a photo says it is not."""
    photos = [picture("teal"), picture("navy")]
    reply = await desk.handle_photo(asker, photos)
    assert "together" not in reply.text
    server.same_person_probability = 0.9
    reply = await desk.handle_photo(asker, photos)
    assert "All photos together look like" in reply.text
    server.script = lambda _: analysis(face(), face(x=100))
    assert "together" not in (await desk.handle_photo(asker, photos)).text
    assert server.count("MatchFaces") == 1
