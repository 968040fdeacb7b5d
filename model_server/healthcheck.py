"""``python -m model_server.healthcheck``: asks a running server whether it is ready.

For container health checks. Exit status 0 where it is, 1 where not.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

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


def main() -> int:
    """Runs the command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m model_server.healthcheck")
    parser.add_argument("--server", default="localhost:50051", help="host:port")
    parser.add_argument(
        "--service", default="lookalike.v1.PhotoService", help='"" asks whether it is alive'
    )
    parser.add_argument("--tls-ca", type=Path, help="PEM file; asks over TLS")
    options = parser.parse_args()
    if options.tls_ca:
        credentials = grpc.ssl_channel_credentials(options.tls_ca.read_bytes())
        channel = grpc.secure_channel(options.server, credentials)
    else:
        channel = grpc.insecure_channel(options.server)
    with channel:
        return 0 if is_serving(channel, options.service) else 1


if __name__ == "__main__":
    sys.exit(main())
