"""Assembles the grpc.aio server: services, health, reflection, interceptors, drain."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Protocol

import grpc
from grpc_health.v1 import health_pb2_grpc

from lookalike.v1 import celebrity_pb2, celebrity_pb2_grpc, photo_pb2, photo_pb2_grpc
from model_server.admission import Admission
from model_server.interceptors.admission import TurnAway
from model_server.interceptors.auth import BearerAuth
from model_server.interceptors.errors import translate_errors
from model_server.interceptors.observability import CallObserver
from model_server.interceptors.wrapping import AroundInterceptor
from model_server.limits import MAX_MESSAGE_BYTES
from model_server.metrics import Metrics
from model_server.reflection import enable_reflection
from model_server.services.health import HEALTH_SERVICE, Health
from model_server.settings import ServerSettings

__all__ = ["LookalikeServer", "ServiceSet"]

log = logging.getLogger(__name__)

MAX_SEND_BYTES = 16 * 2**20

PHOTO_SERVICE = photo_pb2.DESCRIPTOR.services_by_name["PhotoService"].full_name
CELEBRITY_SERVICE = celebrity_pb2.DESCRIPTOR.services_by_name["CelebrityService"].full_name

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_SEND_BYTES),
    # Two servers must never share a port by accident.
    ("grpc.so_reuseport", 0),
    # Lets clients find replicas that were added; they reconnect after this.
    ("grpc.max_connection_age_ms", 30 * 60 * 1000),
    ("grpc.max_connection_age_grace_ms", 60 * 1000),
    # Clients may ping once a minute, calls or no calls.
    ("grpc.http2.min_ping_interval_without_data_ms", 50 * 1000),
    ("grpc.keepalive_permit_without_calls", 1),
)


class ServiceSet(Protocol):
    """The services, once models and gallery are loaded."""

    @property
    def photo(self) -> photo_pb2_grpc.PhotoServiceServicer:
        """Answers questions about photos."""
        ...

    @property
    def celebrity(self) -> celebrity_pb2_grpc.CelebrityServiceServicer:
        """Manages the gallery."""
        ...

    @property
    def admission(self) -> Admission:
        """Says how many photos may wait."""
        ...


class LookalikeServer:
    """The server: first alive, then ready, at last draining.

    Args:
        settings: Address, TLS, tokens, drain.
        services: What it serves.
        metrics: Where calls are counted.
    """

    def __init__(self, settings: ServerSettings, services: ServiceSet, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._health = Health()
        self._server = grpc.aio.server(
            interceptors=[
                # From the outside in: what a call became is seen last, who calls is asked first.
                AroundInterceptor(CallObserver(metrics)),
                AroundInterceptor(translate_errors),
                AroundInterceptor(
                    BearerAuth(
                        [token.get_secret_value() for token in settings.tokens],
                        [token.get_secret_value() for token in settings.admin_tokens],
                    )
                ),
                TurnAway(PHOTO_SERVICE, services.admission),
            ],
            options=_OPTIONS,
        )
        photo_pb2_grpc.add_PhotoServiceServicer_to_server(services.photo, self._server)
        celebrity_pb2_grpc.add_CelebrityServiceServicer_to_server(services.celebrity, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        enable_reflection(self._server, [PHOTO_SERVICE, CELEBRITY_SERVICE, HEALTH_SERVICE])
        # For those that cannot speak TLS or show a certificate, such as Kubernetes' probes.
        self._probes: grpc.aio.Server | None = None
        if settings.health_port is not None:
            self._probes = grpc.aio.server(options=_OPTIONS)
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._probes)
        self.port = 0
        self.health_port = 0

    async def start(self) -> int:
        """Listens; answers "alive" to health checks, and is not yet ready.

        Returns:
            The port.

        Raises:
            RuntimeError: The address is taken or not ours.
        """
        host = _bracketed(self._settings.host)
        address = f"{host}:{self._settings.port}"
        credentials = _credentials(self._settings)
        if credentials:
            self.port = self._server.add_secure_port(address, credentials)
        else:
            self.port = self._server.add_insecure_port(address)
        if self._probes:
            self.health_port = self._probes.add_insecure_port(
                f"{host}:{self._settings.health_port}"
            )
        self.set_ready(ready=False)
        await self._server.start()
        if self._probes:
            await self._probes.start()
        return self.port

    def set_ready(self, *, ready: bool) -> None:
        """Tells health checks whether models are loaded and warm."""
        for service in (PHOTO_SERVICE, CELEBRITY_SERVICE):
            self._health.set(service, serving=ready)
        self._metrics.set_ready(ready=ready)

    async def drain(self) -> None:
        """Says NOT_SERVING, takes no new calls, and lets running ones finish.

        Those whose photo is still on its way are running too. What has not ended after
        :attr:`ServerSettings.drain_s` is cancelled.
        """
        self._health.drain()
        self._metrics.set_ready(ready=False)
        log.info("draining", extra={"seconds": self._settings.drain_s})
        await self._server.stop(self._settings.drain_s)
        # Probes are answered to the end.
        if self._probes:
            await self._probes.stop(0)

    async def wait(self) -> None:
        """Waits until the server has stopped."""
        with contextlib.suppress(asyncio.CancelledError):
            await self._server.wait_for_termination()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _credentials(settings: ServerSettings) -> grpc.ServerCredentials | None:
    if not (settings.tls_certificate and settings.tls_key):
        return None
    client_ca = settings.tls_client_ca
    return grpc.ssl_server_credentials(
        [(_read(settings.tls_key), _read(settings.tls_certificate))],
        root_certificates=_read(client_ca) if client_ca else None,
        require_client_auth=client_ca is not None,
    )


def _read(path: Path) -> bytes:
    return path.read_bytes()
