"""Errors as RFC 9457 problem details (``application/problem+json``), in people's language."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from bots.core.errors import (
    AlreadyExists,
    BadPhoto,
    ClientError,
    DeadlineExceeded,
    InvalidRequest,
    NotFound,
    Overloaded,
    ServerUnavailable,
    UnsuitablePhoto,
)
from bots.core.languages import texts_for
from bots.core.notices import error_text
from bots.web.language import language_of

__all__ = [
    "PROBLEM_RESPONSES",
    "Problem",
    "ProblemDetails",
    "install_problem_handlers",
    "problem_from",
]

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
DEFAULT_RETRY_S = 1.0


class ProblemDetails(BaseModel):
    """What is wrong with a request (RFC 9457)."""

    type: str = Field(description="Identifies the kind of problem.")
    title: str = Field(description="The kind of problem, in English.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong and what to do, in the caller's language.")
    reason: str = Field(description="For programs, such as CORRUPT_PHOTO.")


_TITLES: Final[Mapping[int, str]] = {
    400: "Bad request",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Upload too slow",
    409: "Conflict",
    413: "Photo too large",
    415: "Unsupported format",
    422: "Photo cannot be used",
    429: "Too many requests",
    500: "Internal error",
    503: "Not available now",
    504: "No answer in time",
}

PROBLEM_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status: {
        "description": _TITLES[status],
        "content": {MEDIA_TYPE: {"schema": ProblemDetails.model_json_schema()}},
        **(
            {"headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}}
            if status in {429, 503}
            else {}
        ),
    }
    for status in (400, 413, 415, 422, 429, 503)
}
"""For the OpenAPI description of an endpoint that takes photos."""

_PHOTO_STATUS: Final[Mapping[str, int]] = {
    "EMPTY_PHOTO": 400,
    "PHOTO_TOO_LARGE": 413,
    "PHOTOS_TOO_LARGE": 413,
    "TOO_MANY_PIXELS": 413,
    "UNSUPPORTED_FORMAT": 415,
}
_STATUS: Final[tuple[tuple[type[ClientError], int], ...]] = (
    (UnsuitablePhoto, 422),
    (InvalidRequest, 400),
    (NotFound, 404),
    (AlreadyExists, 409),
    (Overloaded, 503),
    (DeadlineExceeded, 504),
    (ServerUnavailable, 503),
)


class Problem(Exception):  # noqa: N818 - the RFC's word
    """An error that becomes a problem response.

    Args:
        status: HTTP status.
        reason: For programs, upper case.
        detail: For people.
        retry_after_s: Becomes ``Retry-After``, in whole seconds.
    """

    def __init__(
        self, status: int, reason: str, detail: str, *, retry_after_s: float | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.retry_after_s = retry_after_s

    def details(self) -> ProblemDetails:
        """As the body says it."""
        return ProblemDetails(
            type=f"urn:lookalike:problem:{self.reason.lower().replace('_', '-')}",
            title=_TITLES.get(self.status, "Error"),
            status=self.status,
            detail=self.detail,
            reason=self.reason,
        )

    def response(self) -> JSONResponse:
        """As an HTTP response."""
        headers = {"Cache-Control": "no-store"}
        if self.status in {408, 413}:
            headers["Connection"] = "close"  # the rest of the upload is not read
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after_s)))
        return JSONResponse(
            self.details().model_dump(), self.status, media_type=MEDIA_TYPE, headers=headers
        )


def problem_from(error: ClientError, language: str) -> Problem:
    """The problem that an error of the model server is to whoever asked."""
    if isinstance(error, BadPhoto):
        status = _PHOTO_STATUS.get(error.reason, 422)
    else:
        status = next((code for cls, code in _STATUS if isinstance(error, cls)), 500)
    retry_after_s = error.retry_after_s
    if status == 503 and retry_after_s is None:
        retry_after_s = DEFAULT_RETRY_S
    reason = error.reason or ("INTERNAL" if status == 500 else "UNAVAILABLE")
    return Problem(
        status, reason, error_text(error, texts_for(language)), retry_after_s=retry_after_s
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Makes every error of ``app`` a problem response."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, error: Problem) -> JSONResponse:
        return error.response()

    @app.exception_handler(ClientError)
    async def _client_error(request: Request, error: ClientError) -> JSONResponse:
        problem = problem_from(error, language_of(request))
        if problem.status == 500:
            # The server's message may be shown, so it may be logged: it quotes no photo.
            log.error("the model server failed: %s", error.message)
        return problem.response()

    @app.exception_handler(RequestValidationError)
    async def _validation(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return Problem(422, "INVALID_REQUEST", f"{where}: {first['msg']}").response()

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        title = _TITLES.get(error.status_code, "Error")
        reason = title.upper().replace(" ", "_")
        response = Problem(error.status_code, reason, str(error.detail)).response()
        response.headers.update(error.headers or {})
        return response
