"""The chain of providers."""

from __future__ import annotations

import asyncio

import pytest

from model_server.portraits.breaker import CircuitBreaker
from model_server.portraits.cache import PortraitCache
from model_server.portraits.chain import Link, PortraitChain
from model_server.portraits.portrait import (
    Portrait,
    PortraitProviderError,
    PortraitSource,
    QuotaExceededError,
)

PICTURE = Portrait(b"jpeg", "image/jpeg", PortraitSource.WIKIMEDIA)
OTHER = Portrait(b"other", "image/jpeg", PortraitSource.GOOGLE)


class Fake:
    """Gives what it is told to: a portrait, None, an error, or the outcome of a wait."""

    def __init__(self, outcome=None, name="fake"):
        self.outcome = outcome
        self.name = name
        self.asked = []
        self.running = 0
        self.most_running = 0

    async def find(self, person, width_px):
        self.asked.append((person.id, width_px))
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            if isinstance(self.outcome, asyncio.Event):
                await self.outcome.wait()
                return PICTURE
            if isinstance(self.outcome, Exception):
                raise self.outcome
            return self.outcome
        finally:
            self.running -= 1


class Clock:
    def __init__(self):
        self.time = 1_700_000_000.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def cache(tmp_path, clock):
    return PortraitCache(tmp_path, now=clock)


async def test_the_first_that_has_one_answers(someone):
    """Later ones are not even asked."""
    first, second, third = Fake(None), Fake(PICTURE), Fake(OTHER)
    chain = PortraitChain([Link(first), Link(second), Link(third)])
    assert await chain.get(someone("ada"), 300) == PICTURE
    assert first.asked == second.asked == [("ada", 330)]
    assert third.asked == []


async def test_at_the_end_a_card_is_drawn(someone):
    """There is always a portrait."""
    portrait = await PortraitChain([Link(Fake(None))]).get(someone())
    assert portrait.source is PortraitSource.CARD
    assert portrait.image.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "error", [PortraitProviderError("down"), QuotaExceededError("full"), ZeroDivisionError()]
)
async def test_a_failing_provider_is_passed_over(someone, error):
    """Its failure, even a bug, does not reach the caller."""
    chain = PortraitChain([Link(Fake(error)), Link(Fake(PICTURE))])
    assert await chain.get(someone()) == PICTURE


async def test_a_slow_provider_is_given_up(someone):
    """After its time the next one is asked."""
    slow = Fake(asyncio.Event())
    chain = PortraitChain([Link(slow, timeout_s=0.01), Link(Fake(OTHER))])
    assert await chain.get(someone()) == OTHER
    assert slow.running == 0


async def test_a_provider_that_keeps_failing_is_left_alone(someone):
    """After the breaker opened, nobody waits for it."""
    failing = Fake(PortraitProviderError("down"))
    link = Link(failing, breaker=CircuitBreaker(max_failures=2))
    chain = PortraitChain([link])
    for number in range(5):
        await chain.get(someone(str(number)))
    assert len(failing.asked) == 2


async def test_a_quota_pauses_the_provider_at_once(someone):
    """The breaker opens for as long as the provider asks."""
    failing = Fake(QuotaExceededError("full", retry_after_s=3600))
    chain = PortraitChain([Link(failing)])
    for number in range(3):
        await chain.get(someone(str(number)))
    assert len(failing.asked) == 1


async def test_breakers_are_per_provider(someone):
    """One open breaker leaves the others closed."""
    good = Fake(PICTURE)
    bad = Link(Fake(PortraitProviderError("x")), breaker=CircuitBreaker(max_failures=1))
    chain = PortraitChain([bad, Link(good)])
    for number in range(3):
        assert await chain.get(someone(str(number))) == PICTURE
    assert len(good.asked) == 3


async def test_equal_questions_at_the_same_time_are_asked_once(someone):
    """A hundred photos of one look-alike cost one download."""
    gate = asyncio.Event()
    provider = Fake(gate)
    chain = PortraitChain([Link(provider)])
    callers = [asyncio.create_task(chain.get(someone(), 330)) for _ in range(10)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*callers) == [PICTURE] * 10
    assert len(provider.asked) == 1
    await chain.get(someone(), 330)
    assert len(provider.asked) == 2  # not kept: there is no cache here


async def test_a_caller_that_gives_up_takes_nothing_from_the_others(someone):
    """The download goes on for those who still wait."""
    gate = asyncio.Event()
    provider = Fake(gate)
    chain = PortraitChain([Link(provider)])
    first = asyncio.create_task(chain.get(someone()))
    second = asyncio.create_task(chain.get(someone()))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0)
    gate.set()
    assert await second == PICTURE
    assert first.cancelled()


async def test_only_so_many_questions_at_once(someone):
    """Wikimedia asks not to be called in bulk."""
    gate = asyncio.Event()
    provider = Fake(gate)
    chain = PortraitChain([Link(provider, max_concurrent=2)])
    callers = [asyncio.create_task(chain.get(someone(str(n)))) for n in range(6)]
    await asyncio.sleep(0.02)
    gate.set()
    await asyncio.gather(*callers)
    assert (len(provider.asked), provider.most_running) == (6, 2)


async def test_our_own_queue_is_not_the_provider_s_failure(someone):
    """Who waits in vain gets a card; the time of one answer begins when it is asked for."""
    gate = asyncio.Event()
    provider = Fake(gate)
    link = Link(provider, max_concurrent=1, timeout_s=60, max_wait_s=0.01)
    link.breaker = CircuitBreaker(max_failures=1)
    chain = PortraitChain([link])
    first = asyncio.create_task(chain.get(someone("first")))
    waited = await asyncio.gather(*(chain.get(someone(str(number))) for number in range(3)))
    assert {portrait.source for portrait in waited} == {PortraitSource.CARD}
    gate.set()
    assert await first == PICTURE
    assert await chain.get(someone("next")) == PICTURE
    assert len(provider.asked) == 2


async def test_waiting_takes_nothing_of_the_time_for_the_answer(someone):
    """A question that had to wait has as long for its answer as any other."""

    class SlowAtFirst(Fake):
        async def find(self, person, width_px):
            if person.id == "first":
                await asyncio.Event().wait()
            return PICTURE

    chain = PortraitChain([Link(SlowAtFirst(), max_concurrent=1, timeout_s=0.05, max_wait_s=60)])
    first, second = await asyncio.gather(chain.get(someone("first")), chain.get(someone("second")))
    assert (first.source, second) == (PortraitSource.CARD, PICTURE)


async def test_what_was_found_is_kept(someone, cache):
    """The next caller gets it from the disk, in the same process or not."""
    provider = Fake(PICTURE)
    assert await PortraitChain([Link(provider)], cache).get(someone()) == PICTURE
    assert await PortraitChain([Link(provider)], cache).get(someone()) == PICTURE
    assert len(provider.asked) == 1


async def test_that_there_is_none_is_kept_by_provider(someone, cache):
    """A provider added later is still asked."""
    wikimedia, google = Fake(None, "wikimedia"), Fake(OTHER, "google")
    await PortraitChain([Link(wikimedia)], cache).get(someone())
    portrait = await PortraitChain([Link(wikimedia), Link(google)], cache).get(someone())
    assert portrait == OTHER
    assert len(wikimedia.asked) == 1


async def test_failures_are_not_kept(someone, cache):
    """An outage is not "has no picture"."""
    provider = Fake(PortraitProviderError("down"))
    chain = PortraitChain([Link(provider)], cache)
    await chain.get(someone())
    provider.outcome = PICTURE
    assert await chain.get(someone()) == PICTURE


async def test_widths_and_corrections_are_kept_apart(someone, cache):
    """A corrected Wikidata id is looked up anew, and so is another width."""
    provider = Fake(PICTURE)
    chain = PortraitChain([Link(provider)], cache)
    await chain.get(someone("ada"), 330)
    await chain.get(someone("ada"), 500)
    await chain.get(someone("ada", wikidata_id="Q7259"), 330)
    assert len(provider.asked) == 3


async def test_an_old_portrait_is_renewed(someone, cache, clock):
    """After a month the provider is asked once more."""
    provider = Fake(PICTURE)
    chain = PortraitChain([Link(provider)], cache)
    await chain.get(someone())
    clock.time += 40 * 86_400
    provider.outcome = OTHER
    assert await chain.get(someone()) == OTHER


async def test_an_old_portrait_is_better_than_none(someone, cache, clock):
    """While the provider is down the expired one is shown."""
    provider = Fake(PICTURE)
    chain = PortraitChain([Link(provider)], cache)
    await chain.get(someone())
    clock.time += 40 * 86_400
    provider.outcome = PortraitProviderError("down")
    assert await chain.get(someone()) == PICTURE


async def test_what_is_at_hand_is_not_kept(someone, cache, tmp_path):
    """A picture added to the gallery shows at once."""
    gallery = Fake(None, "gallery")
    chain = PortraitChain([Link(gallery, cached=False)], cache)
    await chain.get(someone())
    gallery.outcome = PICTURE
    assert await chain.get(someone()) == PICTURE
    assert list(tmp_path.iterdir()) == []


async def test_closing_ends_what_is_under_way(someone):
    """No task and no connection outlives the server."""
    closed = []
    provider = Fake(asyncio.Event())

    async def on_close():
        closed.append(True)

    chain = PortraitChain([Link(provider, timeout_s=60)], on_close=on_close)
    caller = asyncio.create_task(chain.get(someone()))
    await asyncio.sleep(0.01)
    await chain.close()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert (closed, provider.running) == ([True], 0)
