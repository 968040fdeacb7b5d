"""Downloads: only from configured places, only so much, only what was asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from model_server.portraits.fetch import MAX_JSON_BYTES, retry_after_s
from model_server.portraits.portrait import PortraitProviderError, QuotaExceededError
from model_server.portraits.reencode import MAX_PICTURE_BYTES

IMAGE = {"Content-Type": "image/jpeg"}


async def test_a_json_object_comes_back_and_the_user_agent_goes_out(web, fetcher, answer):
    """The parameters and the contact reach the server, the object comes back."""
    web.routes["/api"] = answer.json({"found": 1})
    assert await fetcher.json(f"{web.url}/api", {"name": "Penélope & co"}) == {"found": 1}
    assert web.requests[0].params == {"name": "Penélope & co"}
    assert web.requests[0].headers["User-Agent"] == "Lookalike/test (ops@example.org)"


@pytest.mark.parametrize(
    ("body", "content_type", "complaint"),
    [
        (b"<html>Sorry</html>", "text/html; charset=utf-8", "sends text/html"),
        (b"<html>Sorry</html>", "application/json", "not JSON"),
        (b"\xff\xfe\x00garbage", "application/json", "not JSON"),
        (b"[" * 200_000, "application/json", "not JSON"),
        (b"[1, 2]", "application/json", "not a JSON object"),
        (b"", "application/json", "not JSON"),
    ],
)
async def test_what_is_no_json_object_is_an_error(
    web, fetcher, answer, body, content_type, complaint
):
    """Web pages, garbage, depth bombs and lists are told apart from an answer."""
    web.routes["/api"] = answer(body, headers={"Content-Type": content_type})
    with pytest.raises(PortraitProviderError, match=complaint):
        await fetcher.json(f"{web.url}/api", {})


@pytest.mark.parametrize("status", [403, 429])
async def test_a_quota_says_how_long_to_wait(web, fetcher, answer, status):
    """429 and 403 are quota errors and carry the server's Retry-After."""
    web.routes["/api"] = answer(b"{}", status, {"Retry-After": "120"})
    with pytest.raises(QuotaExceededError) as caught:
        await fetcher.json(f"{web.url}/api", {})
    assert caught.value.retry_after_s == 120


async def test_a_quota_without_a_time_waits_a_minute(web, fetcher, answer):
    """A 429 without Retry-After still makes us pause."""
    web.routes["/api"] = answer(b"{}", 429)
    with pytest.raises(QuotaExceededError) as caught:
        await fetcher.json(f"{web.url}/api", {})
    assert caught.value.retry_after_s == 60


@pytest.mark.parametrize("status", [404, 500, 503])
async def test_other_failures_are_errors_but_no_quota(web, fetcher, answer, status):
    """A server error is reported with its status."""
    web.routes["/api"] = answer(b"{}", status)
    with pytest.raises(PortraitProviderError, match=str(status)) as caught:
        await fetcher.json(f"{web.url}/api", {})
    assert not isinstance(caught.value, QuotaExceededError)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://localhost/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "//127.0.0.1/x",
        "",
        "http://[",
        "http://exa mple/",
    ],
)
async def test_only_configured_places_are_asked(fetcher, url):
    """An address out of an answer leads nowhere else."""
    with pytest.raises(PortraitProviderError, match="address"):
        await fetcher.picture(url)


async def test_another_port_of_the_same_host_is_another_place(fetcher, other_web, answer, jpeg):
    """The origin counts, not the host alone."""
    other_web.routes["/p.jpg"] = answer.jpeg(jpeg())
    with pytest.raises(PortraitProviderError, match="not a configured address"):
        await fetcher.picture(f"{other_web.url}/p.jpg")
    assert other_web.requests == []


async def test_a_redirect_elsewhere_is_not_followed(web, other_web, fetcher, answer, jpeg):
    """A configured server cannot send us to another one."""
    other_web.routes["/p.jpg"] = answer.jpeg(jpeg())
    web.routes["/p.jpg"] = answer(b"", 302, {"Location": f"{other_web.url}/p.jpg"})
    with pytest.raises(PortraitProviderError, match="not a configured address"):
        await fetcher.picture(f"{web.url}/p.jpg")
    assert other_web.requests == []


async def test_a_redirect_on_the_same_origin_is_followed(web, fetcher, answer, jpeg):
    """Commons redirects to renamed files."""
    web.routes["/old.jpg"] = answer(b"", 301, {"Location": "/new.jpg"})
    web.routes["/new.jpg"] = answer.jpeg(jpeg())
    assert await fetcher.picture(f"{web.url}/old.jpg") == jpeg()


async def test_redirects_in_a_circle_end(web, fetcher, answer):
    """Three redirects are enough for anyone."""
    web.routes["/a"] = answer(b"", 302, {"Location": "/a"})
    with pytest.raises(PortraitProviderError, match="too often"):
        await fetcher.picture(f"{web.url}/a")
    assert len(web.requests) == 4


async def test_a_picture_of_the_wrong_type_is_refused(web, fetcher, answer):
    """A web page in the place of a picture is no picture."""
    web.routes["/p.jpg"] = answer(b"<html>", headers={"Content-Type": "text/html"})
    with pytest.raises(PortraitProviderError, match="text/html"):
        await fetcher.picture(f"{web.url}/p.jpg")


async def test_a_huge_picture_is_cut_off(web, fetcher, answer):
    """More bytes than a portrait may have are not read to the end."""
    web.routes["/p.jpg"] = answer(bytes(2**20), headers=IMAGE, pieces=1000)
    with pytest.raises(PortraitProviderError, match=str(MAX_PICTURE_BYTES)):
        await fetcher.picture(f"{web.url}/p.jpg")


async def test_a_huge_answer_is_cut_off(web, fetcher, answer):
    """JSON without end is not read to the end."""
    web.routes["/api"] = answer(b" " * 2**20, pieces=1000)
    with pytest.raises(PortraitProviderError, match=str(MAX_JSON_BYTES)):
        await fetcher.json(f"{web.url}/api", {})


async def test_a_slow_server_is_given_up(web, fetcher, answer):
    """The client's time limit ends the wait."""
    web.routes["/api"] = web.slow(answer.json({}))
    with pytest.raises(PortraitProviderError, match="ReadTimeout"):
        await fetcher.json(f"{web.url}/api", {})


async def test_a_dead_server_is_an_error(web, fetcher):
    """A refused connection is the provider's failure, not ours."""
    web.close()
    with pytest.raises(PortraitProviderError, match="ConnectError"):
        await fetcher.json(f"{web.url}/api", {})


def test_retry_after_reads_seconds_and_dates():
    """Both forms of RFC 9110 are understood, nonsense is not, and a day is the most."""
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert retry_after_s(later) == pytest.approx(100, abs=5)
    assert [retry_after_s(text) for text in ("7", "-3", "1e9")] == [7, 0, 86400]
    assert [retry_after_s(text) for text in (None, "", "soon", "nan")] == [None] * 4
