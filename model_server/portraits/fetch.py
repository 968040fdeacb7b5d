"""Downloads from a fixed set of origins, of a bounded size.

Providers hand over addresses that came out of somebody's answer. Only those on
the origins that were configured are followed, redirects included, so that no
answer can make the server call anything else (SSRF, CWE-918).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from model_server.portraits.portrait import PortraitProviderError, QuotaExceededError
from model_server.portraits.reencode import MAX_PICTURE_BYTES

__all__ = ["Fetcher", "retry_after_s"]

MAX_JSON_BYTES = 8 * 1024 * 1024
_MAX_REDIRECTS = 3
_QUOTA_STATUSES = frozenset({403, 429})
_QUOTA_PAUSE_S = 60.0  # where the answer does not say how long
_LONGEST_PAUSE_S = 24 * 3600.0


class Fetcher:
    """GET, and nothing but what was configured.

    Args:
        client: Does the work; its timeouts hold.
        origins: "https://host[:port]" of each place that may be asked.
        user_agent: Who we are, with a way to reach the operator.
    """

    def __init__(
        self, client: httpx.AsyncClient, origins: Iterable[str], *, user_agent: str
    ) -> None:
        self._client = client
        self._origins = frozenset(_origin(httpx.URL(origin)) for origin in origins)
        self._headers = {"User-Agent": user_agent}

    async def json(self, url: str, params: Mapping[str, str]) -> dict[str, Any]:
        """The JSON object at ``url``.

        Raises:
            PortraitProviderError: No answer, or one that is no JSON object.
        """
        body = await self._get(
            httpx.URL(url, params=params), "application/json", MAX_JSON_BYTES, "json"
        )
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise PortraitProviderError("the answer is not JSON") from error
        if not isinstance(answer, dict):
            raise PortraitProviderError("the answer is not a JSON object")
        return answer

    async def picture(self, url: str) -> bytes:
        """The bytes of the picture at ``url``.

        Raises:
            PortraitProviderError: No answer, another type of content, or too much of it.
        """
        try:
            address = httpx.URL(url)
        except (httpx.InvalidURL, TypeError) as error:
            raise PortraitProviderError("the picture's address is none") from error
        return await self._get(address, "image/*", MAX_PICTURE_BYTES, "image/")

    async def _get(self, url: httpx.URL, accept: str, max_bytes: int, content_type: str) -> bytes:
        headers = {**self._headers, "Accept": accept}
        for _ in range(_MAX_REDIRECTS + 1):
            if _origin(url) not in self._origins:
                raise PortraitProviderError(f"not a configured address: {url.scheme}://{url.host}")
            try:
                async with self._client.stream(
                    "GET", url, headers=headers, follow_redirects=False
                ) as response:
                    if response.next_request is None:
                        _check(response, content_type)
                        return await _read(response, max_bytes)
                    url = response.next_request.url
            except httpx.HTTPError as error:
                raise PortraitProviderError(
                    f"{url.host} does not answer ({type(error).__name__})"
                ) from error
            except httpx.InvalidURL as error:
                raise PortraitProviderError(f"{url.host} redirects to nowhere") from error
        raise PortraitProviderError(f"{url.host} redirects too often")


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    port = url.port or {"https": 443, "http": 80}.get(url.scheme, 0)
    return url.scheme, url.host, port


def _check(response: httpx.Response, content_type: str) -> None:
    """Refuses answers that are none, before their body is read."""
    host = response.url.host
    if response.status_code in _QUOTA_STATUSES:
        raise QuotaExceededError(
            f"{host} answers {response.status_code}",
            retry_after_s=retry_after_s(response.headers.get("retry-after")) or _QUOTA_PAUSE_S,
        )
    if not response.is_success:
        raise PortraitProviderError(
            f"{host} answers {response.status_code}",
            retry_after_s=retry_after_s(response.headers.get("retry-after")),
        )
    given = response.headers.get("content-type", "").lower()
    if content_type not in given:
        raise PortraitProviderError(f"{host} sends {given.split(';')[0] or 'no content type'}")


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > max_bytes:
            raise PortraitProviderError(f"{response.url.host} sends more than {max_bytes} bytes")
    return bytes(body)


def retry_after_s(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks to wait, at most a day; None where it says nothing.

    It holds seconds or a date (RFC 9110, 10.2.3).
    """
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            then = parsedate_to_datetime(header)
        except ValueError:
            return None
        then = then if then.tzinfo else then.replace(tzinfo=UTC)
        seconds = (then - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_PAUSE_S) if seconds == seconds else None  # noqa: PLR0124
