"""Portraits: remembered for a while, never for ever."""

from __future__ import annotations

from bots.core.client import LookalikeClient
from bots.core.portraits import PortraitShelf
from lookalike.v1 import celebrity_pb2
from tests.support.fake_server import FakeServer, picture

STAR = "celebrities/star-1"


async def test_a_portrait_is_fetched_anew_after_a_while(
    server: FakeServer, client: LookalikeClient
) -> None:
    """One that was exchanged is seen hours later; one that was taken down is gone by then."""
    now = 0.0
    shelf = PortraitShelf(client, clock=lambda: now)
    first = server.portrait
    assert (await shelf.get([STAR]))[STAR].image == first
    server.portrait = picture("navy")
    now = 5 * 3600.0
    assert (await shelf.get([STAR]))[STAR].image == first
    now = 6 * 3600.0
    assert (await shelf.get([STAR]))[STAR].image == server.portrait
    assert server.count("GetCelebrityPortrait") == 2
    del server.gallery[STAR]
    now = 12 * 3600.0
    assert await shelf.get([STAR]) == {}


async def test_a_drawn_card_gives_way_to_a_picture_soon(
    server: FakeServer, client: LookalikeClient
) -> None:
    """The server may find one a little later."""
    now = 0.0
    shelf = PortraitShelf(client, clock=lambda: now)
    server.portrait_source = celebrity_pb2.PORTRAIT_SOURCE_CARD
    assert (await shelf.get([STAR]))[STAR].source == celebrity_pb2.PORTRAIT_SOURCE_CARD
    server.portrait_source = celebrity_pb2.PORTRAIT_SOURCE_GALLERY
    now = 600.0
    assert (await shelf.get([STAR]))[STAR].source == celebrity_pb2.PORTRAIT_SOURCE_GALLERY
