"""Answers read aloud, for the page's audio element."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError

from bots.core.speech import SpeechUnavailable
from bots.web.language import language_of
from bots.web.problems import PROBLEM_RESPONSES, Problem
from bots.web.schemas import Speech
from bots.web.services import ServicesNow, limit_photos, texts_of
from bots.web.uploads import read_body

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["speech"], dependencies=[Depends(limit_photos)])

MAX_BODY_BYTES: Final = 16 * 1024
BODY_S: Final = 10.0
_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: PROBLEM_RESPONSES[status] for status in (413, 422, 429, 503)
}


@router.post(
    "/speech",
    response_class=Response,
    responses={200: {"content": {"audio/ogg": {}}}, **_ERRORS},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": Speech.model_json_schema()}},
        }
    },
)
async def speak(request: Request, services: ServicesNow) -> Response:
    """Ogg/Opus of an answer's ``speech``: the caption in English, the rest in the language."""
    body = await read_body(request, MAX_BODY_BYTES, BODY_S)
    texts = texts_of(request)
    try:
        speech = Speech.model_validate_json(body)
    except ValidationError:
        # Not what pydantic says: it quotes what was sent.
        raise Problem(422, "INVALID_REQUEST", "Send the speech of an answer.") from None
    parts = [("en", speech.caption), (language_of(request), speech.words)]
    try:
        sound = await services.speaker.speak(parts)
    except SpeechUnavailable:
        detail = texts("There is no voice on this server.")
        raise Problem(503, "SPEECH_UNAVAILABLE", detail) from None
    return Response(sound, media_type="audio/ogg")
