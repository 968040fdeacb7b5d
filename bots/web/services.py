"""What the endpoints share: the client, the limits, the counters; one of each an app."""

from __future__ import annotations

import ipaddress
from collections import Counter as Tally
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from bots.core.client import LookalikeClient
from bots.core.languages import Texts, texts_for
from bots.core.limits import FairQueue, QueueFull, RateLimit
from bots.core.notices import limited_reply
from bots.core.portraits import PortraitShelf
from bots.core.render import Renderer
from bots.core.speech import Speaker
from bots.web.language import language_of
from bots.web.metrics import WebMetrics
from bots.web.pages import WEB_LOCALE_FOLDER
from bots.web.problems import Problem
from bots.web.settings import WebSettings
from lookalike.v1 import photo_pb2

__all__ = ["ServicesNow", "WebServices", "client_key", "limit_photos", "limit_requests"]


class WebServices:
    """Shared by all requests of an app; holds nothing of anybody's photo.

    Args:
        settings: Of the web bot.
    """

    client: LookalikeClient
    portraits: PortraitShelf
    renderer: Renderer

    def __init__(self, settings: WebSettings) -> None:
        self.settings = settings
        self.metrics = WebMetrics()
        self.photo_limit = RateLimit(settings.photos_per_minute)
        self.request_limit = RateLimit(settings.web_requests_per_minute)
        self.speaker = Speaker.from_settings(settings)
        self.live_views: Tally[str] = Tally()
        self._queue = FairQueue(settings.calls_at_once, settings.queue_per_user)

    def connect(self, client: LookalikeClient) -> None:
        """Uses this client of the model server, from the event loop that it was made on."""
        self.client = client
        self.portraits = PortraitShelf(client)
        self.renderer = Renderer(self.portraits)

    def is_sensitive(self, photo: photo_pb2.AnalyzePhotoResponse) -> bool:
        """Whether a photo is probably not safe for work."""
        return photo.HasField("nsfw_score") and photo.nsfw_score >= self.settings.nsfw_threshold

    async def close(self) -> None:
        """Ends the connection to the model server."""
        await self.portraits.close()
        await self.client.close()

    @asynccontextmanager
    async def turn(self, request: HTTPConnection) -> AsyncIterator[None]:
        """A turn at the model server, shared out evenly among clients.

        Raises:
            Problem: This client has too much waiting already.
        """
        try:
            async with self._queue.turn(client_key(request)):
                yield
        except QueueFull:
            raise too_many(texts_of(request), None) from None


def client_key(connection: HTTPConnection) -> str:
    """Whom limits count: the address, or for IPv6 the network that one household has."""
    host = connection.client.host if connection.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return host


def texts_of(connection: HTTPConnection) -> Texts:
    """Texts in the language of whoever asks."""
    return texts_for(language_of(connection), WEB_LOCALE_FOLDER)


def services_of(connection: HTTPConnection) -> WebServices:
    """The services of the app that the request came to."""
    services: WebServices = connection.app.state.services
    return services


def limit_photos(request: Request) -> None:
    """Refuses photos of a client who sent too many.

    Raises:
        Problem: 429.
    """
    _limit(request, services_of(request).photo_limit)


def limit_requests(request: Request) -> None:
    """Refuses other requests of a client who sent too many.

    Raises:
        Problem: 429.
    """
    _limit(request, services_of(request).request_limit)


def too_many(texts: Texts, wait_s: float | None) -> Problem:
    """That somebody has to wait, for the seconds given or for earlier answers."""
    detail = limited_reply(wait_s, texts).text
    return Problem(429, "TOO_MANY_REQUESTS", detail, retry_after_s=wait_s or 1.0)


def _limit(request: Request, limit: RateLimit) -> None:
    wait_s = limit.take(client_key(request))
    if wait_s > 0:
        raise too_many(texts_of(request), wait_s)


ServicesNow = Annotated[WebServices, Depends(services_of)]
