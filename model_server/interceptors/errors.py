"""Errors of the domain become statuses with exactly one ErrorInfo."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from model_server.errors import ERROR_DOMAIN, LookalikeError, status_code
from model_server.interceptors.wrapping import Context

__all__ = ["translate_errors"]

log = logging.getLogger(__name__)

_INTERNAL = LookalikeError("something went wrong in the server; it was logged there")


@asynccontextmanager
async def translate_errors(method: str, _request: Any, context: Context) -> AsyncIterator[None]:
    """Ends the call with the status that belongs to what was raised."""
    try:
        yield
    except LookalikeError as error:
        await context.abort_with_status(to_grpc_status(error))
    except (asyncio.CancelledError, grpc.aio.AbortError):
        raise
    except Exception as error:
        # The traceback's text could quote a photo's bytes: log where it was, not what it said.
        log.exception("%s failed: %s", method, type(error).__name__)
        await context.abort_with_status(to_grpc_status(_INTERNAL))


def to_grpc_status(error: LookalikeError) -> grpc.Status:
    """The error as gRPC sends it: code, message and google.rpc details."""
    details = [
        error_details_pb2.ErrorInfo(
            reason=error.reason, domain=ERROR_DOMAIN, metadata=error.metadata
        )
    ]
    if error.retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(round(error.retry_after_s * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(
        code=code_pb2.Code.Value(status_code(error).name), message=error.message
    )
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return rpc_status.to_status(status)
