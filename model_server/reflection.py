"""Server reflection, so that grpcurl and friends need no .proto files.

grpcio-reflection serves v1alpha. v1 differs from it in the package's name alone, so
the same servicer answers under both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

__all__ = ["enable_reflection"]

V1 = "grpc.reflection.v1.ServerReflection"


def enable_reflection(server: grpc.aio.Server, services: Sequence[str]) -> None:
    """Serves reflection v1 and v1alpha.

    Args:
        server: Not yet started.
        services: Full names of the services to tell of.
    """
    servicer = reflection.aio.ReflectionServicer([*services, reflection.SERVICE_NAME])
    add_servicer: Any = reflection_pb2_grpc.add_ServerReflectionServicer_to_server
    add_servicer(servicer, server)
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(V1, {"ServerReflectionInfo": method}),)
    )
