"""Portraits from Google's Custom Search JSON API.

Only used where the operator has a key and a search engine id. Google closed the
API to new customers and ends it on 2027-01-01; it answers 100 searches a day
for free and charges for more where billing is on, hence :class:`DailyBudget`.

The thumbnails that Google itself serves are taken, never the pictures on the
pages found: those can be on any host.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from model_server.portraits.fetch import Fetcher, retry_after_s
from model_server.portraits.portrait import (
    Person,
    Portrait,
    PortraitProviderError,
    PortraitSource,
    QuotaExceededError,
)
from model_server.portraits.reencode import to_portrait_jpeg

__all__ = ["END_OF_SERVICE", "DailyBudget", "GoogleProvider"]

logger = logging.getLogger(__name__)

END_OF_SERVICE = "2027-01-01"
_RESULTS = 5
_QUOTA_DAY = ZoneInfo("America/Los_Angeles")  # Google's quota begins anew at midnight there
_QUOTA_REASONS = ("rateLimitExceeded", "dailyLimitExceeded", "quotaExceeded", "RATE_LIMIT_EXCEEDED")
_BAD_KEY_PAUSE_S = 3600.0


class DailyBudget:
    """Counts searches a day, so that they never cost money.

    Each search is a byte at the end of the day's file, written before it is made: the count
    holds over restarts and for all processes that share the folder.

    Args:
        limit: Searches a day.
        folder: Where the count is kept; each process has a count of its own where that cannot
            be written.
        now: The time, with its zone.
    """

    def __init__(
        self,
        limit: int,
        folder: Path | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._limit = limit
        self._folder = folder
        self._now = now
        self._lock = threading.Lock()
        self._day = ""
        self._used = 0

    def spend(self) -> None:
        """Counts one search.

        Raises:
            QuotaExceededError: All of today's are used up.
        """
        with self._lock:
            today = self._now().astimezone(_QUOTA_DAY).date().isoformat()
            if self._day != today:
                self._day, self._used = today, 0
            if self._used < self._limit:
                self._used = max(self._used + 1, self._count(today))
                if self._used <= self._limit:
                    return
            raise QuotaExceededError(
                f"all {self._limit} searches of the day are used",
                retry_after_s=self.seconds_to_midnight(),
            )

    def seconds_to_midnight(self) -> float:
        """Seconds until the count begins anew."""
        now = self._now().astimezone(_QUOTA_DAY)
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return (midnight.astimezone(UTC) - now.astimezone(UTC)).total_seconds()

    def _count(self, today: str) -> int:
        """Which of today's searches this one is; 0 where that cannot be kept."""
        if self._folder is None:
            return 0
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / today).open("ab", buffering=0) as file:
                # However many append at once, each byte has a place of its own.
                file.write(b".")
                number = file.tell()
            if number == 1:
                for path in self._folder.iterdir():
                    if path.name < today:
                        path.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("the count of Google searches cannot be kept: %s", error.strerror)
            return 0
        return number


class GoogleProvider:
    """Searches pictures of faces by name.

    Args:
        fetcher: Allowed to ask the hosts of Google's thumbnails.
        api_key: Of the Custom Search JSON API.
        engine_id: Of the Programmable Search Engine ("cx").
        budget: Searches a day.
        timeout_s: For one answer.
        base_url: Instead of Google's own, for tests.
    """

    name = "google"

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        api_key: SecretStr,
        engine_id: str,
        budget: DailyBudget,
        timeout_s: float,
        base_url: str | None = None,
    ) -> None:
        self._fetcher = fetcher
        self._api_key = api_key
        self._engine_id = engine_id
        self._budget = budget
        self._timeout_s = timeout_s
        self._base_url = base_url

    async def find(self, person: Person, width_px: int) -> Portrait | None:
        """As :meth:`PortraitProvider.find`; neither artist nor licence are known."""
        # The client library blocks; it keeps its own timeout, for a thread cannot be cancelled.
        answer = await asyncio.to_thread(self._search, person.display_name)
        items = answer.get("items", [])
        if not isinstance(items, list):
            raise PortraitProviderError("Google's answer has no list of items")
        failure: PortraitProviderError | None = None
        for item in items:
            image = item.get("image") if isinstance(item, dict) else None
            if not isinstance(image, dict):
                continue
            try:
                picture = await self._fetcher.picture(str(image.get("thumbnailLink")))
                jpeg = await asyncio.to_thread(to_portrait_jpeg, picture, width_px)
            except QuotaExceededError:
                raise
            except PortraitProviderError as error:
                failure = error  # one bad picture: the next may do
                continue
            page = str(image.get("contextLink") or "")
            return Portrait(
                jpeg,
                "image/jpeg",
                PortraitSource.GOOGLE,
                source_url=page if page.startswith(("https://", "http://")) else "",
            )
        if failure is not None:
            raise failure
        return None

    def _search(self, name: str) -> dict[str, Any]:
        # Imported here: 200 ms that only servers with a key need to pay.
        import httplib2  # noqa: PLC0415
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
        from googleapiclient.discovery import build  # noqa: PLC0415
        from googleapiclient.errors import Error, HttpError  # noqa: PLC0415

        self._budget.spend()
        options = {"api_endpoint": self._base_url} if self._base_url else None
        try:
            service = build(
                "customsearch",
                "v1",
                developerKey=self._api_key.get_secret_value(),
                # httplib2 is not safe to share between threads: one a search.
                http=httplib2.Http(timeout=self._timeout_s),
                cache_discovery=False,
                static_discovery=True,
                client_options=options,
            )
            with service:
                answer = (
                    service.cse()
                    .list(
                        q=f'"{name.replace(chr(34), " ")}"',
                        cx=self._engine_id,
                        searchType="image",
                        imgType="face",
                        safe="active",
                        num=_RESULTS,
                        fields="items(image(thumbnailLink,contextLink))",
                    )
                    .execute(num_retries=0)
                )
        except HttpError as error:
            # Neither chained nor quoted: its text holds the address, and that the key.
            raise self._refusal(error) from None
        except (Error, GoogleAuthError, httplib2.HttpLib2Error, OSError, ValueError) as error:
            raise PortraitProviderError(
                f"Google does not answer as it should ({type(error).__name__})"
            ) from None
        if not isinstance(answer, dict):
            raise PortraitProviderError("Google's answer is not a JSON object")
        return answer

    def _refusal(self, error: Any) -> PortraitProviderError:
        status = int(error.resp.status)
        body = error.content.decode("utf-8", "replace") if error.content else ""
        if status == 429 or (status == 403 and any(word in body for word in _QUOTA_REASONS)):
            return QuotaExceededError(
                f"Google answers {status}: the quota is used up",
                retry_after_s=retry_after_s(error.resp.get("retry-after"))
                or self._budget.seconds_to_midnight(),
            )
        if status in {400, 401, 403}:
            # A wrong key stays wrong: asking again at every photo helps nobody.
            return PortraitProviderError(
                f"Google answers {status}: check the API key and the search engine id",
                retry_after_s=_BAD_KEY_PAUSE_S,
            )
        return PortraitProviderError(f"Google answers {status}")
