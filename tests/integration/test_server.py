"""The server over a real channel: errors, health, reflection, tokens, overload, drain."""

import asyncio
import json
import logging

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from lookalike.v1 import celebrity_pb2, photo_pb2
from model_server.server import CELEBRITY_SERVICE, PHOTO_SERVICE
from tests.integration.conftest import ScriptedAnalyzer, serving

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def analyze(photo):
    return photo_pb2.AnalyzePhotoRequest(photo=photo)


def details(error):
    """The google.rpc details of a failed call, by type."""
    found = {}
    for packed in rpc_status.from_call(error).details:
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.RetryInfo):
            if packed.Is(kind.DESCRIPTOR):
                message = kind()
                packed.Unpack(message)
                assert kind not in found
                found[kind] = message
    return found


async def failure(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def health_of(running, service):
    stub = health_pb2_grpc.HealthStub(running.channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status


async def wait_for(condition):
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen within 5 s")


async def test_an_answer(running):
    """A photo goes in, its caption comes out."""
    response = await running.photo.AnalyzePhoto(analyze(b"sunset"))
    assert response.caption.text == "caption of sunset"
    assert response.nsfw_score == 0.25
    assert response.image_size.width == 3


async def test_an_error_has_exactly_one_error_info(running):
    """What is wrong with a photo arrives as status, message and ErrorInfo."""
    error = await failure(running.photo.AnalyzePhoto(analyze(b"bad one")))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "damaged" in error.details()
    found = details(error)
    assert list(found) == [error_details_pb2.ErrorInfo]
    assert found[error_details_pb2.ErrorInfo].reason == "CORRUPT_PHOTO"
    assert found[error_details_pb2.ErrorInfo].domain == "lookalike"


async def test_a_bug_tells_nothing_of_the_photo(running, caplog):
    """An unexpected exception is INTERNAL; neither the answer nor the log quotes it."""
    error = await failure(running.photo.AnalyzePhoto(analyze(b"bug in there")))
    assert error.code() == grpc.StatusCode.INTERNAL
    assert details(error)[error_details_pb2.ErrorInfo].reason == "INTERNAL"
    assert "secret" not in error.details()
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(("field", "value"), [("max_faces", 31), ("max_matches", -1)])
async def test_options_out_of_range(running, field, value):
    """An option that cannot be meant is named."""
    options = photo_pb2.MatchOptions(**{field: value})
    request = photo_pb2.AnalyzePhotoRequest(photo=b"x", match_options=options)
    error = await failure(running.photo.AnalyzePhoto(request))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert field in details(error)[error_details_pb2.ErrorInfo].metadata["field"]


async def test_health_tells_alive_from_ready(running):
    """Alive from the start; ready only once models are loaded."""
    assert await health_of(running, "") == SERVING
    assert await health_of(running, PHOTO_SERVICE) == NOT_SERVING
    running.server.set_ready(ready=True)
    assert await health_of(running, PHOTO_SERVICE) == SERVING
    assert await health_of(running, CELEBRITY_SERVICE) == SERVING


async def test_health_watch_follows(running):
    """A watcher learns of readiness and of the drain, and does not hold the drain up."""
    stub = health_pb2_grpc.HealthStub(running.channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=PHOTO_SERVICE))
    assert (await watch.read()).status == NOT_SERVING
    running.server.set_ready(ready=True)
    assert (await watch.read()).status == SERVING
    drain = asyncio.create_task(running.server.drain())
    assert (await watch.read()).status == NOT_SERVING
    await asyncio.wait_for(drain, 3)


async def test_a_service_that_is_not_there(running):
    """Asked about once it is not found; whoever watches is told so and let go by the drain."""
    error = await failure(health_of(running, "lookalike.v1.Nobody"))
    assert error.code() == grpc.StatusCode.NOT_FOUND
    stub = health_pb2_grpc.HealthStub(running.channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="lookalike.v1.Nobody"))
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    await asyncio.wait_for(running.server.drain(), 3)
    assert await watch.read() == grpc.aio.EOF


@pytest.mark.parametrize("package", ["grpc.reflection.v1", "grpc.reflection.v1alpha"])
async def test_reflection(running, package):
    """grpcurl and friends find the services under both names of the protocol."""
    stub = reflection_pb2_grpc.ServerReflectionStub(running.channel)
    if package.endswith("v1"):
        stub.ServerReflectionInfo = running.channel.stream_stream(
            f"/{package}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
    call = stub.ServerReflectionInfo(
        iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    )
    names = {service.name for service in (await call.read()).list_services_response.service}
    assert {PHOTO_SERVICE, CELEBRITY_SERVICE, "grpc.health.v1.Health"} <= names


async def test_overload_is_refused_with_advice_and_health_still_answers(running):
    """Beyond the limit calls are told when to come again; those admitted all finish."""
    slow = [asyncio.ensure_future(running.photo.AnalyzePhoto(analyze(b"slow"))) for _ in range(2)]
    for _ in slow:
        await asyncio.to_thread(running.analyzer.began.acquire, timeout=5)
    error = await failure(running.photo.AnalyzePhoto(analyze(b"one more")))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details(error)[error_details_pb2.RetryInfo].retry_delay.ToNanoseconds() > 0
    assert await health_of(running, "") == SERVING
    running.analyzer.gate.set()
    assert [(await call).caption.text for call in slow] == ["caption of slow"] * 2


def uploaded(running, arrives):
    """A call whose photo comes only when the event is set."""

    async def photo():
        await arrives.wait()
        yield analyze(b"late")

    return running.channel.stream_unary(
        f"/{PHOTO_SERVICE}/AnalyzePhoto",
        request_serializer=photo_pb2.AnalyzePhotoRequest.SerializeToString,
        response_deserializer=photo_pb2.AnalyzePhotoResponse.FromString,
    )(photo())


async def test_a_busy_server_does_not_wait_for_the_photo(running):
    """Who is refused is told so before the photo has come; others are let in."""
    slow = [asyncio.ensure_future(running.photo.AnalyzePhoto(analyze(b"slow"))) for _ in range(2)]
    for _ in slow:
        await asyncio.to_thread(running.analyzer.began.acquire, timeout=5)
    never_sent = asyncio.Event()
    error = await asyncio.wait_for(failure(uploaded(running, never_sent)), 3)
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details(error)[error_details_pb2.ErrorInfo].reason == "OVERLOADED"
    running.analyzer.gate.set()
    await asyncio.gather(*slow)
    let_in = asyncio.ensure_future(uploaded(running, never_sent))
    never_sent.set()
    assert (await let_in).caption.text == "caption of late"


async def test_a_client_that_vanishes_costs_no_more_work(running):
    """Once the caller is gone, work is given up and its place is free again."""
    calls = [running.photo.AnalyzePhoto(analyze(b"slow")) for _ in range(2)]
    for _ in calls:
        await asyncio.to_thread(running.analyzer.began.acquire, timeout=5)
    for call in calls:
        call.cancel()
    assert (await running.photo.AnalyzePhoto(analyze(b"next"), wait_for_ready=True)).caption.text
    assert running.analyzer.analyzed == [b"next"]


async def test_what_waits_and_is_cancelled_is_never_computed(settings):
    """A call cancelled while it waits for a thread never reaches the pipeline."""
    async with serving(settings, ScriptedAnalyzer(), threads=1) as running:
        first = asyncio.ensure_future(running.photo.AnalyzePhoto(analyze(b"slow")))
        await asyncio.to_thread(running.analyzer.began.acquire, timeout=5)
        error = await failure(running.photo.AnalyzePhoto(analyze(b"waiting"), timeout=0.2))
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        # The place of the call that was given up is free again: one more is admitted.
        await wait_for(lambda: running.admission.in_flight == 1)
        running.analyzer.gate.set()
        await first
        assert (await running.photo.AnalyzePhoto(analyze(b"next"))).caption.text
        assert running.analyzer.analyzed == [b"slow", b"next"]


async def test_stream_answers_in_order_and_survives_a_bad_photo(running):
    """A photo that fails is answered with its error; the others are not touched."""

    async def photos():
        for number, photo in enumerate((b"one", b"bad", b"three")):
            yield photo_pb2.AnalyzePhotoStreamRequest(sequence=number, request=analyze(photo))

    responses = [response async for response in running.photo.AnalyzePhotoStream(photos())]
    assert [response.sequence for response in responses] == [0, 1, 2]
    assert responses[0].response.caption.text == "caption of one"
    assert responses[1].error.reason == "CORRUPT_PHOTO"
    assert responses[1].error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert responses[2].response.caption.text == "caption of three"


async def test_stream_in_lockstep(running):
    """A caller that waits for each answer before it sends the next photo gets it."""
    call = running.photo.AnalyzePhotoStream()
    for number in range(3):
        await call.write(
            photo_pb2.AnalyzePhotoStreamRequest(sequence=number, request=analyze(b"a"))
        )
        assert (await asyncio.wait_for(call.read(), 5)).sequence == number
    await call.done_writing()
    assert await call.read() == grpc.aio.EOF


async def test_a_stream_leaves_places_to_others(settings):
    """However many photos a stream brings, four of them are worked on at a time."""
    roomy = settings.model_copy(update={"max_in_flight": 16})
    async with serving(roomy, ScriptedAnalyzer()) as running:
        call = running.photo.AnalyzePhotoStream()
        for number in range(12):
            request = photo_pb2.AnalyzePhotoStreamRequest(sequence=number, request=analyze(b"slow"))
            await call.write(request)
        await call.done_writing()
        for _ in range(4):
            assert await asyncio.to_thread(running.analyzer.began.acquire, timeout=5)
        await asyncio.sleep(0.1)
        assert running.admission.in_flight == 4
        running.analyzer.gate.set()
        answers = [answer async for answer in call]
        assert [answer.sequence for answer in answers] == list(range(12))
        assert all(answer.response.caption.text for answer in answers)


async def test_drain_finishes_running_calls_and_refuses_new_ones(running):
    """On the way down no running call is lost."""
    running_call = asyncio.ensure_future(running.photo.AnalyzePhoto(analyze(b"slow")))
    await asyncio.to_thread(running.analyzer.began.acquire, timeout=5)
    drain = asyncio.create_task(running.server.drain())
    await asyncio.sleep(0.1)
    error = await failure(running.photo.AnalyzePhoto(analyze(b"late")))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    running.analyzer.gate.set()
    assert (await running_call).caption.text == "caption of slow"
    await asyncio.wait_for(drain, 3)


async def test_drain_waits_for_a_photo_that_is_still_on_its_way(running):
    """A call whose photo is being sent when the drain begins is answered like any other."""
    watch = health_pb2_grpc.HealthStub(running.channel).Watch(
        health_pb2.HealthCheckRequest(service=PHOTO_SERVICE)
    )
    running.server.set_ready(ready=True)
    assert (await watch.read()).status == SERVING
    arrives = asyncio.Event()
    upload = uploaded(running, arrives)
    # An answer on the same connection: the headers of the upload came before it.
    await health_of(running, "")
    drain = asyncio.create_task(running.server.drain())
    assert (await watch.read()).status == NOT_SERVING
    arrives.set()
    assert (await upload).caption.text == "caption of late"
    await asyncio.wait_for(drain, 3)


async def test_a_stream_under_way_outlives_the_beginning_of_the_drain(running):
    """Photos that a stream sends while the server drains are answered; its end ends the drain."""
    call = running.photo.AnalyzePhotoStream()
    request = photo_pb2.AnalyzePhotoStreamRequest(request=analyze(b"a"))
    await call.write(request)
    await call.read()
    drain = asyncio.create_task(running.server.drain())
    await asyncio.sleep(0.1)
    await call.write(request)
    assert (await call.read()).response.caption.text == "caption of a"
    assert not drain.done()
    await call.done_writing()
    assert await call.read() == grpc.aio.EOF
    await asyncio.wait_for(drain, 3)


class TestTokens:
    """Who may call, and who may change the gallery."""

    @pytest.fixture
    async def guarded(self, settings):
        update = {"tokens": "reader", "admin_tokens": "writer"}
        guarded = type(settings)(**{**settings.model_dump(), **update}, _env_file=None)
        async with serving(guarded, ScriptedAnalyzer()) as running:
            yield running

    @staticmethod
    def bearer(token):
        return (("authorization", f"Bearer {token}"),)

    @pytest.mark.parametrize("metadata", [None, (("authorization", "Bearer wrong"),)])
    async def test_no_token_or_a_wrong_one(self, guarded, metadata):
        """Strangers are told how to identify themselves."""
        error = await failure(guarded.photo.AnalyzePhoto(analyze(b"x"), metadata=metadata))
        assert error.code() == grpc.StatusCode.UNAUTHENTICATED
        assert details(error)[error_details_pb2.ErrorInfo].reason == "UNAUTHENTICATED"

    @pytest.mark.parametrize("token", ["reader", "writer"])
    async def test_a_right_token(self, guarded, token):
        """Either kind of token may ask about photos."""
        call = guarded.photo.AnalyzePhoto(analyze(b"x"), metadata=self.bearer(token))
        assert (await call).caption.text

    async def test_writing_needs_an_admin_token(self, guarded):
        """A reader may not change the gallery, a writer may."""
        request = celebrity_pb2.DeleteCelebrityRequest(name="celebrities/x")
        refused = guarded.celebrity.DeleteCelebrity(request, metadata=self.bearer("reader"))
        assert (await failure(refused)).code() == grpc.StatusCode.PERMISSION_DENIED
        await guarded.celebrity.DeleteCelebrity(request, metadata=self.bearer("writer"))

    async def test_health_needs_none(self, guarded):
        """Kubernetes has no token."""
        assert await health_of(guarded, "") == SERVING


async def test_one_log_line_a_call_without_the_photo(running, caplog):
    """The line says method, code, size and time; nothing of the photo."""
    with caplog.at_level(logging.INFO, "lookalike.calls"):
        await running.photo.AnalyzePhoto(analyze(b"private picture"))
        await failure(running.photo.AnalyzePhoto(analyze(b"bad picture")))
        await wait_for(lambda: len(caplog.records) >= 2)
    lines = [record for record in caplog.records if record.name == "lookalike.calls"]
    assert [line.code for line in lines] == ["OK", "INVALID_ARGUMENT"]
    assert lines[0].method == "lookalike.v1.PhotoService/AnalyzePhoto"
    assert lines[0].request_bytes > 15
    assert "picture" not in json.dumps([vars(line) for line in lines], default=str)
