"""The model server, as bots see it: one channel, deadlines, careful retries.

Answers are the contract's own messages; errors are those of :mod:`bots.core.errors`.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, Protocol, Self, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bots.core.errors import (
    BadPhoto,
    ClientError,
    DeadlineExceeded,
    Overloaded,
    ServerUnavailable,
    from_rpc_error,
)
from bots.core.settings import BotSettings
from lookalike.v1 import celebrity_pb2, celebrity_pb2_grpc, photo_pb2, photo_pb2_grpc

__all__ = ["LookalikeClient", "channel_target"]
A_co = TypeVar("A_co", covariant=True)


class _Method(Protocol[A_co]):
    """A unary call of a stub."""

    def __call__(
        self, request: Any, /, *, timeout: float, metadata: tuple[tuple[str, str], ...]
    ) -> Awaitable[A_co]: ...


MAX_MESSAGE_BYTES = 24 * 2**20
"""Of a request, as the server takes it: more than one photo may have, less than two."""
_BESIDE_PHOTOS_BYTES = 2**16
"""What a request holds beside its photos is smaller than this."""
MAX_WAIT_S = 5.0
"""The longest that one back-off lasts."""

_SERVICE_CONFIG = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})
_OPTIONS = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.service_config", _SERVICE_CONFIG),
    # Servers answer too_many_pings to more than one a minute.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # A server that comes back is noticed in seconds, not in gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 3_000),
)


class LookalikeClient:
    """Calls the model server. One is enough for a process; make it where the loop runs.

    Calls are tried again, with back-off and jitter, while the deadline lasts: after
    UNAVAILABLE where a call changes nothing, and after RESOURCE_EXHAUSTED (nothing was
    begun), then not before the moment that the server's RetryInfo names. A call is never
    made twice at the same time.

    Args:
        target: ``HOST:PORT``, all of whose addresses are used in turn, or any gRPC target.
        deadline_s: Seconds that a call may take, retries included.
        token: Bearer token, if the server wants one.
        credentials: For TLS; without them the connection is plain.
    """

    def __init__(
        self,
        target: str = "localhost:50051",
        *,
        deadline_s: float = 20.0,
        token: str | None = None,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        self.target = target
        self.deadline_s = deadline_s
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        address = channel_target(target)
        self._channel = (
            grpc.aio.secure_channel(address, credentials, options=_OPTIONS)
            if credentials
            else grpc.aio.insecure_channel(address, options=_OPTIONS)
        )
        self._photos = photo_pb2_grpc.PhotoServiceStub(self._channel)
        self._celebrities = celebrity_pb2_grpc.CelebrityServiceStub(self._channel)
        self._health: Any = health_pb2_grpc.HealthStub(self._channel)

    @classmethod
    def from_settings(cls, settings: BotSettings) -> Self:
        """A client as the settings want it."""
        credentials = None
        if settings.server_tls or settings.server_ca or settings.server_client_certificate:
            files = (
                settings.server_ca,
                settings.server_client_key,
                settings.server_client_certificate,
            )
            credentials = grpc.ssl_channel_credentials(
                *(file.read_bytes() if file else None for file in files)
            )
        token = settings.server_token
        return cls(
            settings.server,
            deadline_s=settings.deadline_s,
            token=token.get_secret_value() if token else None,
            credentials=credentials,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection; running calls are cancelled."""
        await self._channel.close()

    # Photos

    async def analyze(
        self,
        photo: bytes,
        *,
        max_faces: int = 0,
        max_matches: int = 0,
        required_tags: Sequence[str] = (),
        include_crops: bool = False,
    ) -> photo_pb2.AnalyzePhotoResponse:
        """Everything about one photo; 0 stands for the server's default.

        Raises:
            ClientError: As listed in :mod:`bots.core.errors`; so do all calls.
        """
        options = photo_pb2.MatchOptions(
            max_faces=max_faces,
            max_matches=max_matches,
            required_tags=required_tags,
            include_crops=include_crops,
        )
        request = photo_pb2.AnalyzePhotoRequest(photo=photo, match_options=options)
        return await self._call(self._photos.AnalyzePhoto, request)

    async def describe(self, photo: bytes) -> photo_pb2.DescribePhotoResponse:
        """The caption of one photo."""
        request = photo_pb2.DescribePhotoRequest(photo=photo)
        return await self._call(self._photos.DescribePhoto, request)

    async def match(
        self,
        photo: bytes,
        options: photo_pb2.MatchOptions | None = None,
        *,
        additional_photos: Sequence[bytes] = (),
    ) -> photo_pb2.MatchFacesResponse:
        """The faces of one photo and whom they resemble, or one person from several photos.

        Args:
            photo: Its bytes.
            options: How many faces and matches.
            additional_photos: More photos of the person whose face is the largest in
                ``photo``; that face is answered then, matched by all of them together.

        Raises:
            UnsuitablePhoto: A photo does not show the person (reason ``WRONG_PERSON``).
            BadPhoto: The photos are too large together (reason ``PHOTOS_TOO_LARGE``).
            ClientError: As in :meth:`analyze`.
        """
        _check_size(photo, *additional_photos)
        request = photo_pb2.MatchFacesRequest(
            photo=photo, match_options=options, additional_photos=additional_photos
        )
        return await self._call(self._photos.MatchFaces, request)

    async def compare(
        self, first: bytes, second: bytes, *, include_crops: bool = False
    ) -> photo_pb2.CompareFacesResponse:
        """How alike the largest faces of two photos are.

        Raises:
            NoFace: One of the photos shows no face.
            BadPhoto: The photos are too large together (reason ``PHOTOS_TOO_LARGE``).
            ClientError: As in :meth:`analyze`.
        """
        _check_size(first, second)
        request = photo_pb2.CompareFacesRequest(
            first_photo=first, second_photo=second, include_crops=include_crops
        )
        return await self._call(self._photos.CompareFaces, request)

    async def analyze_stream(
        self, requests: AsyncIterator[photo_pb2.AnalyzePhotoStreamRequest]
    ) -> AsyncIterator[photo_pb2.AnalyzePhotoStreamResponse]:
        """Answers in the order of the requests; no deadline, no retries."""
        call: Any = self._photos.AnalyzePhotoStream(requests, metadata=self._metadata)
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
        finally:
            call.cancel()

    # Celebrities

    async def get_celebrity(self, name: str) -> celebrity_pb2.Celebrity:
        """The celebrity named ``celebrities/{id}``; NotFound where there is none."""
        request = celebrity_pb2.GetCelebrityRequest(name=name)
        response = await self._call(self._celebrities.GetCelebrity, request)
        return response.celebrity

    async def list_celebrities(
        self,
        query: str = "",
        *,
        page_size: int = 0,
        page_token: str = "",
        required_tags: Sequence[str] = (),
    ) -> celebrity_pb2.ListCelebritiesResponse:
        """One page of celebrities, ordered by name."""
        request = celebrity_pb2.ListCelebritiesRequest(
            query=query, page_size=page_size, page_token=page_token, required_tags=required_tags
        )
        return await self._call(self._celebrities.ListCelebrities, request)

    async def portrait(
        self, name: str, *, width_px: int = 0
    ) -> celebrity_pb2.GetCelebrityPortraitResponse:
        """A picture of the celebrity named ``celebrities/{id}``, and whom to credit."""
        request = celebrity_pb2.GetCelebrityPortraitRequest(name=name, width_px=width_px)
        return await self._call(self._celebrities.GetCelebrityPortrait, request)

    async def create_celebrity(
        self,
        celebrity: celebrity_pb2.Celebrity,
        *,
        celebrity_id: str = "",
        photos: Sequence[celebrity_pb2.CelebrityPhoto] = (),
    ) -> celebrity_pb2.Celebrity:
        """Adds a celebrity; an empty id is made from the name."""
        request = celebrity_pb2.CreateCelebrityRequest(
            celebrity=celebrity, celebrity_id=celebrity_id, photos=photos
        )
        response = await self._call(self._celebrities.CreateCelebrity, request, changes=True)
        return response.celebrity

    async def update_celebrity(
        self, celebrity: celebrity_pb2.Celebrity, fields: Sequence[str] = ()
    ) -> celebrity_pb2.Celebrity:
        """Changes the fields named; none named: all that can be."""
        request = celebrity_pb2.UpdateCelebrityRequest(celebrity=celebrity)
        request.update_mask.paths.extend(fields)
        response = await self._call(self._celebrities.UpdateCelebrity, request, changes=True)
        return response.celebrity

    async def delete_celebrity(self, name: str) -> None:
        """Removes the celebrity named ``celebrities/{id}``."""
        request = celebrity_pb2.DeleteCelebrityRequest(name=name)
        await self._call(self._celebrities.DeleteCelebrity, request, changes=True)

    async def add_celebrity_photo(
        self, name: str, photo: bytes, *, keep_picture: bool = False
    ) -> celebrity_pb2.Celebrity:
        """Adds a face of the celebrity named ``celebrities/{id}``."""
        request = celebrity_pb2.AddCelebrityPhotoRequest(
            name=name,
            photo=celebrity_pb2.CelebrityPhoto(content=photo, keep_picture=keep_picture),
        )
        response = await self._call(self._celebrities.AddCelebrityPhoto, request, changes=True)
        return response.celebrity

    # The server itself

    async def is_serving(self, service: str = "lookalike.v1.PhotoService") -> bool:
        """Whether the server is there and its models are loaded; asks once."""
        try:
            answer = await self._health.Check(
                health_pb2.HealthCheckRequest(service=service),
                timeout=min(2.0, self.deadline_s),
                metadata=self._metadata,
            )
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def _call(self, method: _Method[A_co], request: Any, *, changes: bool = False) -> A_co:
        end = time.monotonic() + self.deadline_s
        attempt = 0
        while True:
            left = end - time.monotonic()
            try:
                return await method(request, timeout=left, metadata=self._metadata)
            except grpc.aio.AioRpcError as rpc_error:
                error = from_rpc_error(rpc_error)
            pause = _pause(error, attempt, changes=changes)
            if pause is None or time.monotonic() + pause >= end:
                raise error
            await asyncio.sleep(pause)
            attempt += 1


def channel_target(address: str) -> str:
    """``HOST:PORT`` as a name whose addresses are all used; other targets as they are.

    >>> channel_target("localhost:50051"), channel_target("unix:/run/lookalike.sock")
    ('dns:///localhost:50051', 'unix:/run/lookalike.sock')
    """
    schemes = ("dns:", "unix:", "unix-abstract:", "ipv4:", "ipv6:", "xds:")
    return address if address.startswith(schemes) else f"dns:///{address}"


def _check_size(*photos: bytes) -> None:
    """Raises BadPhoto where several photos, each of a good size, do not fit into one call."""
    if len(photos) > 1 and sum(map(len, photos)) > MAX_MESSAGE_BYTES - _BESIDE_PHOTOS_BYTES:
        raise BadPhoto("the photos are too large together", reason="PHOTOS_TOO_LARGE")


def _pause(error: ClientError, attempt: int, *, changes: bool) -> float | None:
    """Seconds until the next attempt; None where there should be none."""
    if isinstance(error, DeadlineExceeded):
        return None
    if isinstance(error, ServerUnavailable) and changes:
        return None  # it may have been done before the connection broke
    if not isinstance(error, ServerUnavailable | Overloaded):
        return None
    back_off: float = min(MAX_WAIT_S, 0.1 * 2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311
    return max(back_off, error.retry_after_s or 0.0)
