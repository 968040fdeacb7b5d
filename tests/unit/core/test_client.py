"""The client: retries where they are safe, errors that say what is wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import grpc
import pytest

from bots.core.client import MAX_MESSAGE_BYTES, LookalikeClient, channel_target
from bots.core.errors import (
    AlreadyExists,
    BadPhoto,
    ClientError,
    DeadlineExceeded,
    Denied,
    NoFace,
    NotFound,
    Overloaded,
    ServerFailure,
    ServerUnavailable,
    from_photo_error,
)
from lookalike.v1 import celebrity_pb2, photo_pb2
from tests.support.fake_server import Failure, FakeServer, picture, running_server

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


def test_addresses_become_names_with_all_their_addresses() -> None:
    """HOST:PORT is resolved by DNS, anything else is taken as it is."""
    assert channel_target("server:50051") == "dns:///server:50051"
    assert channel_target("dns:///server:1") == "dns:///server:1"
    assert channel_target("unix:/run/one.sock") == "unix:/run/one.sock"


async def test_an_answer_comes_as_the_contract_has_it(
    server: FakeServer, client: LookalikeClient
) -> None:
    """Options reach the server, and the answer is the message itself."""
    answer = await client.analyze(picture(), max_matches=3, include_crops=True)
    assert [match.celebrity.display_name for match in answer.faces[0].matches] == [
        "Star 1",
        "Star 2",
        "Star 3",
    ]
    assert answer.faces[0].crop


async def test_reads_are_tried_again_when_the_server_is_away(
    server: FakeServer, client: LookalikeClient
) -> None:
    """UNAVAILABLE twice, then the answer."""
    server.failures = [Failure(UNAVAILABLE, "NOT_READY"), Failure(UNAVAILABLE, "NOT_READY")]
    assert (await client.analyze(picture())).faces
    assert server.count("AnalyzePhoto") == 3


async def test_changes_are_not_repeated_when_the_connection_breaks(
    server: FakeServer, client: LookalikeClient
) -> None:
    """It may have been done already: the caller is told instead."""
    server.failures = [Failure(UNAVAILABLE, "NOT_READY")]
    with pytest.raises(ServerUnavailable):
        await client.create_celebrity(celebrity_pb2.Celebrity(display_name="New"))
    assert server.count("CreateCelebrity") == 1


async def test_an_overloaded_server_is_left_alone_as_long_as_it_says(
    server: FakeServer, client: LookalikeClient
) -> None:
    """The second attempt comes not before RetryInfo's delay; a change may be repeated, too."""
    server.failures = [Failure(EXHAUSTED, "OVERLOADED", retry_after_s=0.4)]
    began = time.monotonic()
    await client.create_celebrity(celebrity_pb2.Celebrity(display_name="New"))
    assert time.monotonic() - began >= 0.4
    assert server.count("CreateCelebrity") == 2


async def test_retries_end_with_the_deadline(server: FakeServer) -> None:
    """A wait that would outlast the deadline is not begun."""
    server.failures = [Failure(EXHAUSTED, "OVERLOADED", retry_after_s=60.0)]
    async with LookalikeClient(server.address, deadline_s=1.0) as client:
        with pytest.raises(Overloaded) as caught:
            await client.analyze(picture())
    assert caught.value.retry_after_s == 60.0
    assert server.count("AnalyzePhoto") == 1


async def test_a_slow_server_runs_into_the_deadline(server: FakeServer) -> None:
    """The call ends, and the server sees it cancelled."""
    server.delay_s = 30.0
    async with LookalikeClient(server.address, deadline_s=0.3) as client:
        with pytest.raises(DeadlineExceeded):
            await client.analyze(picture())
    async with asyncio.timeout(5):
        while server.in_flight:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "CORRUPT_PHOTO", BadPhoto),
        (grpc.StatusCode.INVALID_ARGUMENT, "PHOTO_TOO_LARGE", BadPhoto),
        (grpc.StatusCode.FAILED_PRECONDITION, "NO_FACE", NoFace),
        (grpc.StatusCode.NOT_FOUND, "CELEBRITY_NOT_FOUND", NotFound),
        (grpc.StatusCode.ALREADY_EXISTS, "CELEBRITY_EXISTS", AlreadyExists),
        (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", Denied),
        (grpc.StatusCode.INTERNAL, "INTERNAL", ServerFailure),
    ],
)
async def test_each_status_has_its_error(
    server: FakeServer,
    client: LookalikeClient,
    code: grpc.StatusCode,
    reason: str,
    kind: type[ClientError],
) -> None:
    """Errors that trying again does not help are raised at once."""
    server.failures = [Failure(code, reason, "what is wrong")]
    with pytest.raises(kind) as caught:
        await client.analyze(picture())
    assert (caught.value.reason, caught.value.message) == (reason, "what is wrong")
    assert server.count("AnalyzePhoto") == 1


async def test_a_photo_over_the_message_limit_is_too_large(client: LookalikeClient) -> None:
    """gRPC's own RESOURCE_EXHAUSTED is not taken for an overloaded server."""
    with pytest.raises(BadPhoto) as caught:
        await client.analyze(b"x" * (MAX_MESSAGE_BYTES + 1))
    assert caught.value.reason == "PHOTO_TOO_LARGE"


async def test_two_photos_that_fit_alone_may_be_too_large_together(
    server: FakeServer, client: LookalikeClient
) -> None:
    """They are not sent, and the error says so; two that just fit are."""
    half = MAX_MESSAGE_BYTES // 2
    for call in (
        client.compare(b"x" * half, b"y" * half),
        client.match(b"x" * half, additional_photos=[b"y" * half]),
    ):
        with pytest.raises(BadPhoto) as caught:
            await call
        assert caught.value.reason == "PHOTOS_TOO_LARGE"
    assert not server.calls
    assert await client.compare(b"x" * (half - 2**15), b"y" * (half - 2**15))


async def test_nothing_of_a_photo_is_in_an_error(
    server: FakeServer, client: LookalikeClient
) -> None:
    """Neither the error nor what it was raised from quotes the request."""
    server.failures = [Failure(grpc.StatusCode.INVALID_ARGUMENT, "CORRUPT_PHOTO")]
    with pytest.raises(BadPhoto) as caught:
        await client.analyze(b"secret pixels")
    error: BaseException | None = caught.value
    while error is not None:
        assert "secret" not in repr(error)
        error = error.__cause__ or error.__context__


async def test_the_token_travels_with_each_call(server: FakeServer) -> None:
    """As a bearer token in the metadata."""
    async with LookalikeClient(server.address, token="s3cret") as client:
        await client.get_celebrity("celebrities/star-1")
    assert server.metadata[0]["authorization"] == "Bearer s3cret"


async def test_a_server_that_comes_back_is_found_again() -> None:
    """The same channel works after the server was gone."""
    async with running_server() as fake:
        port = int(fake.address.rpartition(":")[2])
        client = LookalikeClient(fake.address, deadline_s=10.0)
        await client.analyze(picture())
    client.deadline_s = 0.5
    with pytest.raises(ServerUnavailable):
        await client.analyze(picture())
    assert not await client.is_serving()
    client.deadline_s = 20.0
    asking = asyncio.create_task(client.analyze(picture()))
    await asyncio.sleep(0.2)
    async with running_server(fake, port):
        assert (await asking).faces
        assert await client.is_serving()
        await client.close()


async def test_a_stream_keeps_its_order_and_its_errors_to_themselves(
    server: FakeServer, client: LookalikeClient
) -> None:
    """One bad photo is answered with its error; the others go on."""

    def script(photo: bytes) -> photo_pb2.AnalyzePhotoResponse:
        if photo == b"bad":
            raise Failure(grpc.StatusCode.INVALID_ARGUMENT, "CORRUPT_PHOTO")
        return photo_pb2.AnalyzePhotoResponse(caption=photo_pb2.Caption(text=photo.decode()))

    async def requests() -> AsyncIterator[photo_pb2.AnalyzePhotoStreamRequest]:
        for number, photo in enumerate((b"one", b"bad", b"three")):
            yield photo_pb2.AnalyzePhotoStreamRequest(
                sequence=number, request=photo_pb2.AnalyzePhotoRequest(photo=photo)
            )

    server.script = script
    answers = [answer async for answer in client.analyze_stream(requests())]
    assert [answer.sequence for answer in answers] == [0, 1, 2]
    assert answers[2].response.caption.text == "three"
    assert isinstance(from_photo_error(answers[1].error), BadPhoto)
