"""Google Custom Search, played by a local server."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from model_server.portraits.google import DailyBudget, GoogleProvider
from model_server.portraits.portrait import (
    PortraitProviderError,
    PortraitSource,
    QuotaExceededError,
)

KEY = "AIza-secret-key"
PATH = "/customsearch/v1"


@pytest.fixture
def budget():
    return DailyBudget(100)


@pytest.fixture
def provider(web, fetcher, budget):
    return GoogleProvider(
        fetcher,
        api_key=SecretStr(KEY),
        engine_id="engine",
        budget=budget,
        timeout_s=0.5,
        base_url=web.url,
    )


def item(web, name="t1.jpg"):
    """One search result."""
    return {
        "image": {
            "thumbnailLink": f"{web.url}/{name}",
            "contextLink": "https://example.org/page",
        }
    }


async def test_the_first_thumbnail_is_the_portrait(web, provider, answer, someone, jpeg):
    """The search is for faces, safe, and by the exact name; only Google's thumbnail is fetched."""
    web.routes[PATH] = answer.json({"items": [item(web)]})
    web.routes["/t1.jpg"] = answer.jpeg(jpeg(180, 240))
    portrait = await provider.find(someone(display_name='Penélope "P" Cruz'), 330)
    assert portrait is not None
    assert portrait.source is PortraitSource.GOOGLE
    assert portrait.source_url == "https://example.org/page"
    params = web.requests[0].params
    assert params["q"] == '"Penélope  P  Cruz"'
    assert (params["key"], params["cx"]) == (KEY, "engine")
    assert (params["searchType"], params["imgType"], params["safe"]) == ("image", "face", "active")


async def test_no_results_are_no_portrait(web, provider, answer, someone):
    """Google leaves "items" away where it finds nothing."""
    web.routes[PATH] = answer.json({})
    assert await provider.find(someone(), 330) is None


async def test_a_bad_thumbnail_makes_way_for_the_next(web, provider, answer, someone, jpeg):
    """One unusable picture does not spoil the search."""
    web.routes[PATH] = answer.json(
        {"items": ["odd", {}, item(web, "gone.jpg"), item(web, "t2.jpg")]}
    )
    web.routes["/t2.jpg"] = answer.jpeg(jpeg(180, 240))
    assert await provider.find(someone(), 330) is not None


async def test_only_bad_thumbnails_are_an_error(web, provider, answer, someone):
    """That there are only broken pictures must not be remembered as "has none"."""
    web.routes[PATH] = answer.json({"items": [item(web, "gone.jpg")]})
    with pytest.raises(PortraitProviderError, match="404"):
        await provider.find(someone(), 330)


async def test_a_thumbnail_elsewhere_is_not_fetched(web, other_web, provider, answer, someone):
    """Results name any host; only Google's own are asked."""
    web.routes[PATH] = answer.json({"items": [item(other_web)]})
    with pytest.raises(PortraitProviderError, match="not a configured address"):
        await provider.find(someone(), 330)
    assert other_web.requests == []


def refusal(status, reason):
    return {"error": {"code": status, "message": reason, "errors": [{"reason": reason}]}}


@pytest.mark.parametrize(
    ("status", "reason"),
    [(429, "rateLimitExceeded"), (403, "dailyLimitExceeded"), (429, "RATE_LIMIT_EXCEEDED")],
)
async def test_a_used_up_quota_pauses_until_midnight(
    web, provider, budget, answer, someone, status, reason
):
    """Google's day ends at midnight in California."""
    web.routes[PATH] = answer.json(refusal(status, reason), status)
    with pytest.raises(QuotaExceededError) as caught:
        await provider.find(someone(), 330)
    assert caught.value.retry_after_s == pytest.approx(budget.seconds_to_midnight(), abs=60)


@pytest.mark.parametrize("status", [400, 403])
async def test_a_wrong_key_pauses_for_an_hour(web, provider, answer, someone, status):
    """The message says what to check, and the key is not tried at every photo."""
    web.routes[PATH] = answer.json(refusal(status, "keyInvalid"), status)
    with pytest.raises(PortraitProviderError, match="check the API key") as caught:
        await provider.find(someone(), 330)
    assert caught.value.retry_after_s == 3600


async def test_the_key_is_in_no_error_and_no_log(web, provider, answer, someone, caplog):
    """Google's client puts the address, and so the key, into its errors."""
    caplog.set_level(logging.INFO)
    web.routes[PATH] = answer.json(refusal(500, "backendError"), 500)
    with pytest.raises(PortraitProviderError) as caught:
        await provider.find(someone(), 330)
    assert KEY not in f"{caught.value!r}{caplog.text}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<html>Sorry</html>", "text/html"),
        (b"\xff\x00garbage", "application/json"),
        (b"[1]", "application/json"),
        (b'{"items": 5}', "application/json"),
    ],
)
async def test_nonsense_is_an_error(web, provider, answer, someone, body, content_type):
    """HTML, garbage and JSON of another shape are no results."""
    web.routes[PATH] = answer(body, headers={"Content-Type": content_type})
    with pytest.raises(PortraitProviderError):
        await provider.find(someone(), 330)


async def test_a_slow_google_is_given_up(web, provider, answer, someone):
    """The thread that waits has its own time limit."""
    web.routes[PATH] = web.slow(answer.json({}))
    with pytest.raises(PortraitProviderError, match="Timeout"):
        await provider.find(someone(), 330)


async def test_a_dead_google_is_an_error(web, provider, someone):
    """A refused connection is the provider's failure."""
    web.close()
    with pytest.raises(PortraitProviderError):
        await provider.find(someone(), 330)


class Clock:
    def __init__(self):
        self.time = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

    def __call__(self):
        return self.time


def test_the_budget_ends_the_day(tmp_path):
    """The search after the last free one is refused, and the next day is a new one."""
    clock = Clock()
    budget = DailyBudget(2, tmp_path, clock)
    budget.spend()
    budget.spend()
    for _ in range(3):
        with pytest.raises(QuotaExceededError) as caught:
            budget.spend()
    assert caught.value.retry_after_s == 20 * 3600  # 12:00 UTC is 04:00 in California
    clock.time = datetime(2026, 11, 22, 8, 1, tzinfo=UTC)
    budget.spend()
    # One byte a search, and nothing of the day before.
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"2026-11-22": b"."}


def test_the_budget_outlives_a_restart(tmp_path):
    """A restarted server does not start counting at nought."""
    clock = Clock()
    DailyBudget(1, tmp_path / "new", clock).spend()
    with pytest.raises(QuotaExceededError):
        DailyBudget(1, tmp_path / "new", clock).spend()


def test_servers_with_one_cache_share_the_budget(tmp_path):
    """All of them together search as often as is free, however their searches fall."""
    clock = Clock()
    replicas = [DailyBudget(10, tmp_path, clock) for _ in range(4)]

    def spend(number):
        try:
            replicas[number % 4].spend()
        except QuotaExceededError:
            return 0
        return 1

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(spend, range(40))) == 10


def test_a_count_that_is_lost_goes_on(tmp_path):
    """A cache that is emptied does not make the process forget what it spent."""
    budget = DailyBudget(2, tmp_path, Clock())
    budget.spend()
    budget.spend()
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(QuotaExceededError):
        budget.spend()


def test_a_count_that_cannot_be_kept_still_counts(tmp_path):
    """Without a writable folder the count holds for this process."""
    (tmp_path / "file").write_text("in the way")
    budget = DailyBudget(1, tmp_path / "file" / "count", Clock())
    budget.spend()
    with pytest.raises(QuotaExceededError):
        budget.spend()
