"""Live mode over a real WebSocket."""

import asyncio
import json

import grpc
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bots.web.live import LatestFrame
from lookalike.v1 import photo_pb2
from tests.support.fake_server import Failure, FakeServer, analysis, face, running_server
from tests.support.web_world import running_web


async def metrics_show(world, text):
    """Waits until the counters say so; the test's own time limit ends it."""
    while True:
        if text in (await world.http.get("/metrics")).text:
            return
        await asyncio.sleep(0.01)


async def test_frames_are_answered(world):
    """Each frame's answer has its number, the faces and the best look-alikes."""
    async with connect(world.live_url) as socket:
        for sequence in (1, 2):
            await socket.send(b"frame")
            answer = json.loads(await socket.recv())
            assert answer["sequence"] == sequence
            assert answer["faces"][0]["matches"][0]["name"] == "Star 1"
    assert {call[0] for call in world.fake.calls} == {"AnalyzePhotoStream"}
    request = world.fake.calls[0][1].request
    assert request.photo == b"frame"
    assert not request.match_options.include_crops


class SlowStream(FakeServer):
    """Answers a frame when the test allows it."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.began = asyncio.Semaphore(0)
        self.allowed = asyncio.Semaphore(0)

    async def AnalyzePhotoStream(self, requests, context):
        async for request in requests:
            self.seen.append(request.request.photo)
            self.began.release()
            await self.allowed.acquire()
            yield photo_pb2.AnalyzePhotoStreamResponse(
                sequence=request.sequence, response=analysis(face())
            )


async def test_the_latest_frame_wins():
    """While the server is busy frames overtake each other: the newest is answered next."""
    async with running_server(SlowStream()) as fake, running_web(fake) as world:
        async with connect(world.live_url) as socket:
            await socket.send(b"1")
            await fake.began.acquire()
            for frame in (b"2", b"3", b"4"):
                await socket.send(frame)
            await metrics_show(world, 'received"} 4.0')
            assert fake.seen == [b"1"]
            fake.allowed.release()
            fake.allowed.release()
            assert json.loads(await socket.recv())["sequence"] == 1
            assert json.loads(await socket.recv())["sequence"] == 4
        text = (await world.http.get("/metrics")).text
    assert fake.seen == [b"1", b"4"]
    assert 'live_frames_total{outcome="overtaken"} 2.0' in text


async def test_a_bad_frame_does_not_end_the_view(world):
    """An error is answered in the asker's language, and the next frame as usual."""

    def script(photo):
        if photo == b"bad":
            raise Failure(grpc.StatusCode.INVALID_ARGUMENT, "CORRUPT_PHOTO")
        return analysis(face())

    world.fake.script = script
    async with connect(world.live_url) as socket:
        await socket.send(b"bad")
        answer = json.loads(await socket.recv())
        assert answer["error"]["reason"] == "CORRUPT_PHOTO"
        assert answer["error"]["retry_after_s"] == 0
        await socket.send(b"good")
        assert json.loads(await socket.recv())["faces"]


async def test_server_away_and_back(monkeypatch):
    """A view lives through a restart of the model server."""
    monkeypatch.setattr("bots.web.live.REOPEN_S", 0.05)
    async with running_server() as first:
        port = int(first.address.rpartition(":")[2])
        web = running_web(first)
        world = await web.__aenter__()
        socket = await connect(world.live_url)
        await socket.send(b"frame")
        assert json.loads(await socket.recv())["faces"]
    try:
        await socket.send(b"frame")
        assert "error" in json.loads(await socket.recv())
        async with running_server(port=port):
            answer = {"error": {}}
            while "error" in answer:
                await socket.send(b"frame")
                answer = json.loads(await socket.recv())
            assert answer["faces"]
            await socket.close()
    finally:
        await web.__aexit__(None, None, None)


async def test_other_pages_may_not_watch(world):
    """A page of another origin gets no view; ours does."""
    with pytest.raises(InvalidStatus):
        await connect(world.live_url, origin="https://evil.example")
    async with connect(world.live_url, origin=world.url) as socket:
        await socket.send(b"frame")
        assert json.loads(await socket.recv())["faces"]


async def test_views_are_limited(fake):
    """One view too many is closed with a reason; when one ends there is room again."""
    async with running_web(fake, web_live_per_client=1) as world:
        async with connect(world.live_url):
            async with connect(world.live_url) as second:
                with pytest.raises(ConnectionClosed) as closed:
                    await second.recv()
            assert closed.value.rcvd.code == 1013
            assert closed.value.rcvd.reason
        await metrics_show(world, "live_views 0.0")
        async with connect(world.live_url) as third:
            await third.send(b"frame")
            assert json.loads(await third.recv())["faces"]


async def test_silence_ends_the_view(world, monkeypatch):
    """A view that sends nothing does not stay for ever."""
    monkeypatch.setattr("bots.web.live.IDLE_S", 0.1)
    async with connect(world.live_url) as socket:
        with pytest.raises(ConnectionClosed):
            await socket.recv()


async def test_text_is_no_frame(world):
    """A text message ends the view without an error in the server."""
    async with connect(world.live_url) as socket:
        await socket.send("text")
        with pytest.raises(ConnectionClosed):
            await socket.recv()


async def test_latest_frame_waits():
    """Taking waits for a frame; putting says whether one was lost."""
    box = LatestFrame()
    taking = asyncio.create_task(box.take())
    await asyncio.sleep(0)
    assert box.put(1, b"a") is False
    assert await taking == (1, b"a")
    assert box.put(2, b"b") is False
    assert box.put(3, b"c") is True
    assert await box.take() == (3, b"c")
