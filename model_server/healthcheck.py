"""``python -m model_server.healthcheck``: asks a running server whether it is ready.

For container health checks. Asks the server on this machine, by the settings that it was
started with, or the one that is named. Exit status 0 where it is ready, 1 where not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from model_server.settings import ServerSettings

__all__ = ["is_serving", "main"]


def is_serving(channel: grpc.Channel, service: str, timeout_s: float = 3.0) -> bool:
    """Whether the server says SERVING for the service."""
    request = health_pb2.HealthCheckRequest(service=service)
    stub: Any = health_pb2_grpc.HealthStub(channel)
    try:
        response = stub.Check(request, timeout=timeout_s)
    except grpc.RpcError:
        return False
    return bool(response.status == health_pb2.HealthCheckResponse.SERVING)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m model_server.healthcheck")
    parser.add_argument("--server", help="host:port; without it, as the settings say")
    parser.add_argument(
        "--service", default="lookalike.v1.PhotoService", help='"" asks whether it is alive'
    )
    parser.add_argument("--tls-ca", type=Path, help="PEM file; asks over TLS")
    options = parser.parse_args(arguments)
    server = options.server
    if server is None:
        settings = ServerSettings.load()
        if settings.tls_certificate and settings.health_port is None and not options.tls_ca:
            print(  # noqa: T201
                "the server speaks TLS: set LOOKALIKE_HEALTH_PORT, or name its authority with "
                "--tls-ca",
                file=sys.stderr,
            )
            return 1
        server = _address(settings, over_tls=options.tls_ca is not None)
    if options.tls_ca:
        credentials = grpc.ssl_channel_credentials(options.tls_ca.read_bytes())
        channel = grpc.secure_channel(server, credentials)
    else:
        channel = grpc.insecure_channel(server)
    with channel:
        return 0 if is_serving(channel, options.service) else 1


def _address(settings: ServerSettings, *, over_tls: bool) -> str:
    """Where the server with these settings is reached from its own machine."""
    port = settings.port
    if settings.health_port is not None and not over_tls:
        port = settings.health_port
    host = "localhost" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
