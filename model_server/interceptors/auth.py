"""Bearer tokens: who may call, and who may change the gallery."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from model_server.errors import PermissionDeniedError, UnauthenticatedError
from model_server.interceptors.wrapping import Context

__all__ = ["BearerAuth"]

WRITES = tuple(
    f"/lookalike.v1.CelebrityService/{name}"
    for name in ("CreateCelebrity", "UpdateCelebrity", "DeleteCelebrity", "AddCelebrityPhoto")
)


class BearerAuth:
    """Checks the ``authorization: Bearer …`` header.

    Args:
        tokens: May call everything that does not change the gallery; none: everyone may.
        admin_tokens: May call everything; none: whoever may call may write too.
    """

    def __init__(self, tokens: Sequence[str], admin_tokens: Sequence[str]) -> None:
        self._tokens = [token.encode() for token in tokens]
        self._admin_tokens = [token.encode() for token in admin_tokens]

    @asynccontextmanager
    async def __call__(self, method: str, _request: Any, context: Context) -> AsyncIterator[None]:
        """Lets the call through or raises.

        Raises:
            UnauthenticatedError: There is no token, or a wrong one.
            PermissionDeniedError: The token is not one for writing.
        """
        token = _bearer(context)
        is_admin = _is_one_of(token, self._admin_tokens)
        is_known = is_admin or _is_one_of(token, self._tokens)
        if self._tokens and not is_known:
            raise UnauthenticatedError(
                'this server wants a token: send the header "authorization: Bearer TOKEN"'
            )
        if method in WRITES and self._admin_tokens and not is_admin:
            if not token:
                raise UnauthenticatedError("changing the gallery needs an admin token")
            raise PermissionDeniedError("this token may not change the gallery")
        yield


def _bearer(context: Context) -> bytes:
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            scheme, _, token = str(value).partition(" ")
            if scheme.lower() == "bearer":
                return token.strip().encode()
    return b""


def _is_one_of(token: bytes, allowed: Sequence[bytes]) -> bool:
    # All are compared, each in constant time, so that timing tells nothing.
    matches = [hmac.compare_digest(token, one) for one in allowed]
    return any(matches)
