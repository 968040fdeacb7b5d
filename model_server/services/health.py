"""grpc.health.v1, with watches that end when the server drains.

Those of grpcio-health-checking never end, and a graceful stop waits for every call.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

__all__ = ["HEALTH_SERVICE", "Health"]

HEALTH_SERVICE = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name

_Status = health_pb2.HealthCheckResponse

Context = grpc.aio.ServicerContext[Any, Any]


class Health(health_pb2_grpc.HealthServicer):
    """Tells callers which services are served; ``""`` stands for the whole server."""

    def __init__(self) -> None:
        self._serving = {"": True}
        self._draining = False
        self._changed = asyncio.Event()

    def set(self, service: str, *, serving: bool) -> None:
        """Says whether a service is served; of no effect once the server drains."""
        if not self._draining:
            self._serving[service] = serving
            self._tell()

    def drain(self) -> None:
        """Says NOT_SERVING of every service for good; whoever watches is told, then let go."""
        self._serving = dict.fromkeys(self._serving, False)
        self._draining = True
        self._tell()

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """The status of a service now; NOT_FOUND where there is no such service."""
        if request.service not in self._serving:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return _Status(status=self._status(request.service))

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:
        """The status of a service now and after each change, until the server drains."""
        told: int | None = None
        while True:
            # Before anything is awaited: what changes meanwhile is told in the next round.
            changed, last = self._changed, self._draining
            status = self._status(request.service)
            if status != told:
                await context.write(_Status(status=status))
                told = status
            if last:
                return
            await changed.wait()

    def _status(self, service: str) -> int:
        serving = self._serving.get(service)
        if serving is None:
            return _Status.SERVICE_UNKNOWN
        return _Status.SERVING if serving else _Status.NOT_SERVING

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
