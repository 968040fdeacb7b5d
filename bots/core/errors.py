"""What can go wrong between a bot and the model server.

    ClientError
    ├── ServerUnavailable       not reachable, still loading, or too slow to answer
    │   └── DeadlineExceeded
    ├── Overloaded              come again after ``retry_after_s``
    ├── BadPhoto                the bytes are no photo that can be used; ``reason`` says why
    ├── UnsuitablePhoto         a good photo, but not for this: no face, several faces …
    │   └── NoFace
    ├── InvalidRequest          a field is missing or out of range
    ├── NotFound                there is no such celebrity
    ├── AlreadyExists
    ├── Denied                  the token is missing, wrong, or not allowed to do this
    └── ServerFailure           the server broke

``message`` is the server's, in English, and may be shown; people are better served by
:func:`bots.core.notices.error_text`, which words an error in their language.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from lookalike.v1 import photo_pb2

__all__ = [
    "AlreadyExists",
    "BadPhoto",
    "ClientError",
    "DeadlineExceeded",
    "Denied",
    "InvalidRequest",
    "NoFace",
    "NotFound",
    "Overloaded",
    "ServerFailure",
    "ServerUnavailable",
    "UnsuitablePhoto",
    "from_photo_error",
    "from_rpc_error",
]

_PHOTO_REASONS = frozenset(
    {
        "INVALID_PHOTO",
        "EMPTY_PHOTO",
        "UNSUPPORTED_FORMAT",
        "CORRUPT_PHOTO",
        "PHOTO_TOO_LARGE",
        "TOO_MANY_PIXELS",
        "PHOTO_TOO_SMALL",
    }
)


class ClientError(Exception):
    """Base of all errors of a call.

    Args:
        message: What is wrong, in English.
        reason: The ErrorInfo's reason, such as ``"CORRUPT_PHOTO"``; empty where the
            server gave none.
        retry_after_s: Seconds after which trying again may help; None where it does not.
        metadata: Facts for programs.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        retry_after_s: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.metadata = dict(metadata or {})


class ServerUnavailable(ClientError):  # noqa: N818 - named as people say it
    """The server is not reachable, or still loading its models."""


class DeadlineExceeded(ServerUnavailable):
    """The server did not answer in time."""


class Overloaded(ClientError):  # noqa: N818
    """The server has more to do than it takes on."""


class BadPhoto(ClientError):  # noqa: N818
    """The bytes are no photo that can be used."""


class UnsuitablePhoto(ClientError):  # noqa: N818
    """A good photo, but not for what was asked."""


class NoFace(UnsuitablePhoto):
    """The photo shows no face where one is needed."""


class InvalidRequest(ClientError):  # noqa: N818
    """A field is missing or out of range."""


class NotFound(ClientError):  # noqa: N818
    """There is no such celebrity."""


class AlreadyExists(ClientError):  # noqa: N818
    """It is there already."""


class Denied(ClientError):  # noqa: N818
    """The token is missing, wrong, or not allowed to do this."""


class ServerFailure(ClientError):  # noqa: N818
    """The server broke; trying again does not help."""


_BY_CODE: Mapping[grpc.StatusCode, type[ClientError]] = {
    grpc.StatusCode.UNAVAILABLE: ServerUnavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.FAILED_PRECONDITION: UnsuitablePhoto,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.UNAUTHENTICATED: Denied,
    grpc.StatusCode.PERMISSION_DENIED: Denied,
}
_CODES = {code.value[0]: code for code in grpc.StatusCode}


def from_rpc_error(error: grpc.aio.AioRpcError) -> ClientError:
    """The error of a call as one of the tree."""
    reason = ""
    metadata: dict[str, str] = {}
    retry_after_s: float | None = None
    for detail in _details(error):
        info = error_details_pb2.ErrorInfo()
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(retry):
            retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
    code = error.code()
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and not reason:
        # gRPC itself says so, on either side, when a message is over the limit.
        reason = "PHOTO_TOO_LARGE"
    return _make(code, reason, error.details() or code.name, retry_after_s, metadata)


def from_photo_error(error: photo_pb2.PhotoError) -> ClientError:
    """The error of one photo of a stream as one of the tree."""
    code = _CODES.get(error.code, grpc.StatusCode.UNKNOWN)
    return _make(code, error.reason, error.message, error.retry_after_seconds or None, {})


def _details(error: Any) -> list[Any]:
    try:
        status = rpc_status.from_call(error)
    except ValueError:  # a proxy's own status beside the server's
        return []
    return list(status.details) if status else []


def _make(
    code: grpc.StatusCode,
    reason: str,
    message: str,
    retry_after_s: float | None,
    metadata: Mapping[str, str],
) -> ClientError:
    cls = _BY_CODE.get(code, ServerFailure)
    if reason in _PHOTO_REASONS:
        cls = BadPhoto
    elif reason == "NO_FACE":
        cls = NoFace
    return cls(message, reason=reason, retry_after_s=retry_after_s, metadata=metadata)
