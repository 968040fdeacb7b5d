"""A log line and metrics for every call; nothing of a photo but its size."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from model_server.interceptors.wrapping import Context
from model_server.metrics import Metrics

__all__ = ["CallObserver"]

log = logging.getLogger("lookalike.calls")


class CallObserver:
    """Writes one log line a call and counts it."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @asynccontextmanager
    async def __call__(self, method: str, request: Any, context: Context) -> AsyncIterator[None]:
        """Surrounds the call."""
        started = time.perf_counter()
        cancelled = False
        try:
            yield
        except asyncio.CancelledError:
            cancelled = True
            raise
        finally:
            elapsed = time.perf_counter() - started
            code = "CANCELLED" if cancelled else _code_name(context.code())
            short = method.rpartition("/")[2]
            self._metrics.observe_call(short, code, elapsed)
            log.info(
                "call",
                extra={
                    "method": method.removeprefix("/"),
                    "code": code,
                    "duration_ms": round(elapsed * 1000, 1),
                    "request_bytes": request.ByteSize() if request is not None else None,
                },
            )


def _code_name(code: object) -> str:
    if isinstance(code, grpc.StatusCode):
        return code.name
    # grpc.aio has the bare number until a status is set, 0 where all went well.
    by_number = {status.value[0]: status.name for status in grpc.StatusCode}
    return by_number.get(code if isinstance(code, int) else 0, "UNKNOWN")
