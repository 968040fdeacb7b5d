"""Turns calls away before their photos are read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc

from model_server.admission import Admission
from model_server.interceptors.wrapping import Context, Continuation, Handler

__all__ = ["TurnAway"]


class TurnAway(grpc.aio.ServerInterceptor):
    """Refuses one service's calls of one photo while there is no place for another.

    A busy server has no time to receive megabytes that it will not look at. Streams are let
    in: each of their photos is admitted or refused by itself.

    Args:
        service: Full name of the service.
        admission: Knows whether there is a place. Who is let through still has to take it.
    """

    def __init__(self, service: str, admission: Admission) -> None:
        self._methods = f"/{service}/"
        self._admission = admission

    async def intercept_service(
        self,
        continuation: Continuation,
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The handler of the call, or one that says no."""
        handler = await continuation(handler_call_details)
        if (
            handler is None
            or handler.request_streaming
            or not handler_call_details.method.startswith(self._methods)
            or not self._admission.full
        ):
            return handler
        # A handler of streams is called at once; any other when the message is complete.
        refuse: Any = self._refuse
        return grpc.stream_unary_rpc_method_handler(refuse)

    async def _refuse(self, _requests: AsyncIterator[bytes], _context: Context) -> None:
        raise self._admission.refusal()
