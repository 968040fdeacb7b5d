"""``POST /predict``: one photo, four values, as small programs like it."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request

from bots.web.photos import answer_about
from bots.web.problems import PROBLEM_RESPONSES
from bots.web.schemas import Prediction, celebrity_id
from bots.web.services import ServicesNow, limit_photos
from bots.web.uploads import multipart_body

__all__ = ["router"]

router = APIRouter(tags=["predict"], dependencies=[Depends(limit_photos)])

SCORE_DIGITS: Final = 4


@router.post("/predict", responses=PROBLEM_RESPONSES, openapi_extra=multipart_body("file"))
async def predict(request: Request, services: ServicesNow) -> Prediction:
    """The caption of a photo and the celebrity that its largest face resembles most.

    A photo without a face is answered, too: with the caption and three nulls.
    """
    answer = await answer_about(request, services, include_crops=False, max_matches=1)
    photo = answer.photos[0]
    match = photo.faces[0].matches[0] if photo.faces and photo.faces[0].matches else None
    if match is None:
        return Prediction(
            caption=photo.caption.text,
            matched_celebrity=None,
            similarity_score=None,
            actor_image_url=None,
        )
    base = services.settings.web_public_url or str(request.base_url)
    path = f"celebrities/{quote(celebrity_id(match.celebrity.name), safe='')}/portrait"
    return Prediction(
        caption=photo.caption.text,
        matched_celebrity=match.celebrity.display_name,
        similarity_score=round(match.similarity.cosine, SCORE_DIGITS),
        actor_image_url=f"{base.rstrip('/')}/{path}",
    )
