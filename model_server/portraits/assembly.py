"""Puts the chain together as the settings say."""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, version

import httpx

from model_server.portraits.cache import PortraitCache
from model_server.portraits.chain import Link, PortraitChain
from model_server.portraits.fetch import Fetcher
from model_server.portraits.gallery import GalleryProvider, PictureStore
from model_server.portraits.google import END_OF_SERVICE, DailyBudget, GoogleProvider
from model_server.portraits.wikimedia import WikimediaProvider
from model_server.settings import ServerSettings

__all__ = ["build_portraits"]

logger = logging.getLogger(__name__)

# Where Wikimedia and Google serve the pictures that their APIs name.
_WIKIMEDIA_PICTURES = ("https://upload.wikimedia.org",)
_GOOGLE_PICTURES = tuple(f"https://encrypted-tbn{n}.gstatic.com" for n in range(4))
_FREE_GOOGLE_SEARCHES = 100  # a day
_REMOTE_TIMEOUT_S = 5.0


def build_portraits(settings: ServerSettings, pictures: PictureStore) -> PortraitChain:
    """The chain: gallery, Wikimedia where a contact is set, Google where a key is, name card.

    Args:
        settings: Of the server.
        pictures: Those kept in the gallery.
    """
    client = httpx.AsyncClient(
        timeout=httpx.Timeout(_REMOTE_TIMEOUT_S, connect=3.0),
        limits=httpx.Limits(max_connections=16, max_keepalive_connections=4),
    )
    links = [Link(GalleryProvider(pictures), cached=False)]
    if settings.contact:
        fetcher = Fetcher(
            client,
            (settings.wikidata_url, settings.commons_url, *_WIKIMEDIA_PICTURES),
            user_agent=f"Lookalike/{_version()} ({settings.contact}) httpx/{httpx.__version__}",
        )
        wikimedia = WikimediaProvider(
            fetcher, wikidata_url=settings.wikidata_url, commons_url=settings.commons_url
        )
        links.append(Link(wikimedia, timeout_s=_REMOTE_TIMEOUT_S))
    if settings.google_api_key and settings.google_cx:
        logger.info("Google Custom Search is on; Google ends it on %s", END_OF_SERVICE)
        own = (settings.google_url,) if settings.google_url else ()
        google = GoogleProvider(
            Fetcher(client, (*own, *_GOOGLE_PICTURES), user_agent=f"Lookalike/{_version()}"),
            api_key=settings.google_api_key,
            engine_id=settings.google_cx,
            budget=DailyBudget(_FREE_GOOGLE_SEARCHES, settings.cache_dir / "google-searches"),
            timeout_s=_REMOTE_TIMEOUT_S - 1,
            base_url=settings.google_url,
        )
        links.append(Link(google, timeout_s=_REMOTE_TIMEOUT_S, max_concurrent=2))
    cache = PortraitCache(settings.cache_dir / "portraits")
    return PortraitChain(links, cache, on_close=client.aclose)


def _version() -> str:
    try:
        return version("lookalike")
    except PackageNotFoundError:
        return "unknown"  # run from a checkout that was never installed
