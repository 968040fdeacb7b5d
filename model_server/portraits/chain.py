"""One place after another is asked for a portrait; the last one always has one.

The gallery's own picture, then Wikimedia, then Google, then a drawn name card.
What the remote ones said is cached. A remote one that is slow is given up after
its time, one that keeps failing is left alone for a while; either way the caller
gets an answer: an expired portrait if there is one, else the next provider's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from model_server.portraits.breaker import CircuitBreaker
from model_server.portraits.cache import PortraitCache
from model_server.portraits.name_card import NameCardProvider
from model_server.portraits.portrait import (
    Person,
    Portrait,
    PortraitProvider,
    PortraitProviderError,
    standard_width,
)

__all__ = ["Link", "PortraitChain"]

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Link:
    """A provider and how it is asked.

    Attributes:
        provider: Whom to ask.
        timeout_s: How long to wait for its answer.
        cached: Whether its answers are kept; off for what is at hand anyway.
        max_concurrent: How many questions at once.
        max_wait_s: How long a question waits until it may be asked. After that the provider
            is passed over, but not blamed: the queue is our own.
        breaker: Leaves it alone while it fails.
    """

    provider: PortraitProvider
    timeout_s: float = 5.0
    cached: bool = True
    max_concurrent: int = 4
    max_wait_s: float = 4.0
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.slots = asyncio.Semaphore(self.max_concurrent)


class PortraitChain:
    """Gets portraits. To be used from one event loop.

    Args:
        links: Asked in this order, before a card is drawn.
        cache: What the remote ones said; None keeps nothing.
        on_close: Awaited by :meth:`close`, such as closing the connections.
    """

    def __init__(
        self,
        links: Sequence[Link],
        cache: PortraitCache | None = None,
        on_close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._links = tuple(links)
        self._cache = cache
        self._on_close = on_close
        self._card = NameCardProvider()
        self._running: dict[tuple[str, ...], asyncio.Task[Portrait]] = {}

    async def get(self, person: Person, width_px: int = 0) -> Portrait:
        """A portrait of the person; in the end a drawn card, so there always is one.

        Args:
            person: Whom; a celebrity of the gallery.
            width_px: Wanted; the answer is as wide as the next standard width, or
                narrower where the picture is. 0 stands for 330.
        """
        width_px = standard_width(width_px)
        key = (person.id, person.display_name, person.wikidata_id, str(width_px))
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(self._get(person, width_px))
            self._running[key] = task
            task.add_done_callback(lambda _: self._running.pop(key, None))
        # Several callers may wait for the same portrait: one that gives up must not
        # take it from the others. It ends by itself, for each link has its timeout.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Ends what is under way."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._on_close is not None:
            await self._on_close()

    async def _get(self, person: Person, width_px: int) -> Portrait:
        for link in self._links:
            portrait = await self._ask_cached(link, person, width_px)
            if portrait is not None:
                return portrait
        return await self._card.find(person, width_px)

    async def _ask_cached(self, link: Link, person: Person, width_px: int) -> Portrait | None:
        if self._cache is None or not link.cached:
            return (await self._ask(link, person, width_px))[1]
        # The name and the item are part of the key: a corrected celebrity is looked up anew.
        key = (
            link.provider.name,
            person.id,
            person.display_name,
            person.wikidata_id,
            str(width_px),
        )
        entry = await asyncio.to_thread(self._cache.get, *key)
        if entry is not None and entry.fresh:
            return entry.portrait
        answered, portrait = await self._ask(link, person, width_px)
        if answered:
            await asyncio.to_thread(self._cache.put, portrait, *key)
            return portrait
        return entry.portrait if entry is not None else None

    async def _ask(self, link: Link, person: Person, width_px: int) -> tuple[bool, Portrait | None]:
        """Whether the provider answered, and what."""
        try:
            async with asyncio.timeout(link.max_wait_s):
                await link.slots.acquire()
        except TimeoutError:
            logger.warning("%s: too many portraits are asked for", link.provider.name)
            return False, None
        try:
            return await self._ask_now(link, person, width_px)
        finally:
            link.slots.release()

    async def _ask_now(
        self, link: Link, person: Person, width_px: int
    ) -> tuple[bool, Portrait | None]:
        if not link.breaker.allows():
            return False, None
        name = link.provider.name
        retry_after_s = None
        try:
            async with asyncio.timeout(link.timeout_s):
                portrait = await link.provider.find(person, width_px)
        except TimeoutError:
            logger.warning("%s: no portrait within %g s", name, link.timeout_s)
        except PortraitProviderError as error:
            logger.warning("%s: %s", name, error)
            retry_after_s = error.retry_after_s
        except Exception:  # a bug in one provider must not cost the caller the portrait
            logger.exception("%s failed", name)
        else:
            link.breaker.succeeded()
            return True, portrait
        link.breaker.failed(retry_after_s)
        return False, None
