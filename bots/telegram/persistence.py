"""Calls to Telegram that outlast a broken line."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from telegram.error import BadRequest, NetworkError, RetryAfter

__all__ = ["NotImplementedByServer", "persistently"]

log = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 20.0
_GIVE_UP_S = 3600.0


class NotImplementedByServer(Exception):  # noqa: N818 - named as people say it
    """The Bot API server (an old one, or another make) does not know the method."""


async def persistently(call: Callable[[], Awaitable[T]]) -> T:
    """Makes a call again, with growing pauses, while the network or Telegram fails.

    A message whose confirmation was lost on the way may be sent twice: that is better than
    an answer that never comes.

    Raises:
        NotImplementedByServer: Trying again is of no use.
        TelegramError: Telegram refuses the call, or has failed for an hour.
    """
    end = time.monotonic() + _GIVE_UP_S
    pause = _FIRST_PAUSE_S
    while True:
        try:
            return await call()
        except BadRequest:  # a NetworkError, but the network is fine
            raise
        except RetryAfter as error:
            after = error.retry_after
            wait = after if isinstance(after, int | float) else after.total_seconds()
            failure: NetworkError | RetryAfter = error
        except NetworkError as error:
            if "(501)" in error.message or "not implemented" in error.message.lower():
                raise NotImplementedByServer(error.message) from error
            wait, failure = pause, error
            pause = min(pause * 2, _LONGEST_PAUSE_S)
        if time.monotonic() + wait > end:
            raise failure
        log.warning("Telegram: %s; again in %.1f s", type(failure).__name__, wait)
        await asyncio.sleep(wait)
