"""Live mode: frames of a camera over a WebSocket, answered by AnalyzePhotoStream.

Back-pressure is "the latest frame wins": while the model server works on one frame, only
the newest of those that came since is kept, and one frame is with the server at a time.
So a slow server answers fewer frames, but never an old one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from bots.core.answer import number_faces
from bots.core.errors import BadPhoto, ClientError, ServerUnavailable, from_photo_error
from bots.core.languages import Texts
from bots.web.problems import Problem, problem_from
from bots.web.schemas import photo_answer_from
from bots.web.services import WebServices, client_key, services_of, texts_of
from lookalike.v1 import photo_pb2

__all__ = ["LatestFrame", "router"]

log = logging.getLogger(__name__)
router = APIRouter()

MATCHES: Final = 3
FACES: Final = 4
MAX_FRAME_BYTES: Final = 2 * 2**20
IDLE_S: Final = 30.0
"""A view that sends nothing for so long is over."""
PAUSE_S: Final = 0.04
"""Between an answer and the next frame: nobody reads faster, and others are served."""
REOPEN_S: Final = 2.0
"""Until the stream is opened again after it broke."""

POLICY_VIOLATION, TOO_BIG, TRY_AGAIN_LATER = 1008, 1009, 1013
"""Close codes (RFC 6455, 7.4, and IANA's registry)."""


class LatestFrame:
    """Holds one frame; a newer one replaces it."""

    def __init__(self) -> None:
        self._frame: tuple[int, bytes] | None = None
        self._filled = asyncio.Event()

    def put(self, sequence: int, frame: bytes) -> bool:
        """Keeps the frame; whether it replaced one that nobody took."""
        replaced = self._frame is not None
        self._frame = (sequence, frame)
        self._filled.set()
        return replaced

    async def wait(self) -> None:
        """Until there is a frame."""
        await self._filled.wait()

    async def take(self) -> tuple[int, bytes]:
        """The newest frame, once there is one."""
        while self._frame is None:
            await self._filled.wait()
        frame = self._frame
        self._frame = None
        self._filled.clear()
        return frame


@router.websocket("/live")
async def live(socket: WebSocket) -> None:
    """One live view: binary frames in, one JSON answer a frame that was not overtaken."""
    services = services_of(socket)
    who = client_key(socket)
    if not _same_origin(socket):
        await socket.close(POLICY_VIOLATION)
        return
    await socket.accept()
    texts = texts_of(socket)
    views, settings = services.live_views, services.settings
    if views[who] >= settings.web_live_per_client or views.total() >= settings.web_live_total:
        reason = texts("Many photos are waiting right now. Please try again in a moment.")
        await socket.close(TRY_AGAIN_LATER, _close_reason(reason))
        return
    views[who] += 1
    services.metrics.live_views.inc()
    try:
        await _run(socket, services, texts)
    finally:
        services.metrics.live_views.dec()
        views[who] -= 1
        if not views[who]:
            del views[who]


async def _run(socket: WebSocket, services: WebServices, texts: Texts) -> None:
    newest = LatestFrame()
    answering = asyncio.create_task(_answer(socket, services, texts, newest))
    try:
        await _receive(socket, services, newest, answering)
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


async def _receive(
    socket: WebSocket, services: WebServices, newest: LatestFrame, answering: asyncio.Task[None]
) -> None:
    """Takes frames until the view ends."""
    sequence = 0
    try:
        while not answering.done():
            async with asyncio.timeout(IDLE_S):
                frame = await socket.receive_bytes()
            if len(frame) > MAX_FRAME_BYTES:
                await socket.close(TOO_BIG)
                return
            sequence += 1
            services.metrics.live_frames.labels("received").inc()
            if newest.put(sequence, frame):
                services.metrics.live_frames.labels("overtaken").inc()
    except TimeoutError:
        await socket.close()
    except (WebSocketDisconnect, KeyError):
        # Gone, or a text where a frame should be: Starlette has no name for the latter.
        return


async def _answer(
    socket: WebSocket, services: WebServices, texts: Texts, newest: LatestFrame
) -> None:
    """Answers frames; opens the stream again where the model server went away."""

    def turn() -> AbstractAsyncContextManager[None]:
        return services.turn(socket)

    while True:
        feed = _Feed(newest, turn)
        feeding = asyncio.create_task(feed.run())
        try:
            async for response in services.client.analyze_stream(feed.requests()):
                feed.answered()
                await socket.send_json(_message(response, services, texts))
                services.metrics.live_frames.labels("answered").inc()
            error: ClientError = ServerUnavailable("the stream ended")
        except ClientError as broken:
            error = broken
        except (WebSocketDisconnect, RuntimeError):
            return  # nobody is there to answer
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            feed.end()
        log.warning("live: %s %s", type(error).__name__, error.reason)
        services.metrics.live_frames.labels("failed").inc()
        await socket.send_json(_error_message(feed.sequence, error, texts))
        await asyncio.sleep(error.retry_after_s or REOPEN_S)


class _Feed:
    """Feeds a stream: the next frame goes out when the one before is answered.

    Each frame waits for its turn like everybody's photos, so that a live view leaves room.
    gRPC may go on waiting for requests of a stream that broke; :meth:`end` tells it that
    there are none.
    """

    def __init__(
        self, newest: LatestFrame, turn: Callable[[], AbstractAsyncContextManager[None]]
    ) -> None:
        self._newest = newest
        self._turn = turn
        self._answered = asyncio.Event()
        self._out: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.sequence = 0

    async def run(self) -> None:
        """Hands out frames for ever."""
        while True:
            await self._newest.wait()
            with contextlib.suppress(Problem):  # too much waiting: a newer frame tries again
                async with self._turn():
                    # Taken only now: a newer one may have come while others had their turns.
                    self.sequence, frame = await self._newest.take()
                    self._answered.clear()
                    self._out.put_nowait(frame)
                    await self._answered.wait()
            await asyncio.sleep(PAUSE_S)

    def answered(self) -> None:
        """The frame that went out has its answer."""
        self._answered.set()

    def end(self) -> None:
        """No more requests."""
        self._out.put_nowait(None)

    async def requests(self) -> AsyncIterator[photo_pb2.AnalyzePhotoStreamRequest]:
        """What the stream sends."""
        options = photo_pb2.MatchOptions(max_faces=FACES, max_matches=MATCHES)
        while (frame := await self._out.get()) is not None:
            yield photo_pb2.AnalyzePhotoStreamRequest(
                sequence=self.sequence,
                request=photo_pb2.AnalyzePhotoRequest(photo=frame, match_options=options),
            )


def _message(
    response: photo_pb2.AnalyzePhotoStreamResponse, services: WebServices, texts: Texts
) -> dict[str, Any]:
    if response.HasField("error"):
        return _error_message(response.sequence, from_photo_error(response.error), texts)
    photo = response.response
    # Largest first, as the server has them: the view follows the largest.
    faces = sorted(number_faces((photo,), FACES)[0], key=lambda face: -face.face.box.width)
    answer = photo_answer_from(
        photo,
        tuple(faces),
        texts,
        hidden_faces=0,
        hidden_faces_note="",
        sensitive=services.is_sensitive(photo),
        speech=("", ""),
    )
    return {"sequence": response.sequence, **answer.model_dump(exclude={"speech"})}


def _error_message(sequence: int, error: ClientError, texts: Texts) -> dict[str, Any]:
    problem = problem_from(error, texts.language)
    wait = 0.0 if isinstance(error, BadPhoto) else problem.retry_after_s or REOPEN_S
    return {
        "sequence": sequence,
        "error": {"detail": problem.detail, "reason": problem.reason, "retry_after_s": wait},
    }


def _same_origin(socket: WebSocket) -> bool:
    """Whether the page that asks is ours; programs send no Origin."""
    origin = socket.headers.get("origin")
    if origin is None:
        return True
    host = urlsplit(origin).netloc
    public = urlsplit(services_of(socket).settings.web_public_url).netloc
    return host in {socket.headers.get("host"), public} - {None, ""}


def _close_reason(text: str) -> str:
    """At most 123 bytes fit into a close frame."""
    return text.encode()[:123].decode(errors="ignore")
