"""The gallery: who is in it, and their portraits, served from here."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from bots.web.problems import PROBLEM_RESPONSES
from bots.web.schemas import Attribution, CelebrityPage, Person, person_from
from bots.web.services import ServicesNow, limit_requests
from lookalike.v1 import celebrity_pb2

__all__ = ["router"]

router = APIRouter(
    prefix="/celebrities", tags=["celebrities"], dependencies=[Depends(limit_requests)]
)

CelebrityId = Annotated[str, Path(pattern="^[a-z0-9-]{1,63}$", description="Its id.")]

DAY_S: Final = 24 * 3600
HOUR_S: Final = 3600
_SOURCES: Final = {
    celebrity_pb2.PORTRAIT_SOURCE_GALLERY: "gallery",
    celebrity_pb2.PORTRAIT_SOURCE_WIKIMEDIA: "wikimedia",
    celebrity_pb2.PORTRAIT_SOURCE_GOOGLE: "google",
    celebrity_pb2.PORTRAIT_SOURCE_CARD: "card",
}
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: PROBLEM_RESPONSES[status] for status in (422, 429, 503)
}


@router.get("", responses=_ERRORS)
async def list_celebrities(
    services: ServicesNow,
    query: Annotated[str, Query(max_length=80, description="Part of a name.")] = "",
    page_token: Annotated[str, Query(max_length=512)] = "",
    page_size: Annotated[int, Query(ge=1, le=100)] = 24,
) -> CelebrityPage:
    """Celebrities by name, a page at a time."""
    page = await services.client.list_celebrities(query, page_size=page_size, page_token=page_token)
    return CelebrityPage(
        celebrities=[person_from(celebrity) for celebrity in page.celebrities],
        next_page_token=page.next_page_token,
        total_size=page.total_size,
    )


@router.get("/{celebrity}", responses=_ERRORS)
async def get_celebrity(services: ServicesNow, celebrity: CelebrityId) -> Person:
    """One celebrity."""
    return person_from(await services.client.get_celebrity(f"celebrities/{celebrity}"))


@router.get(
    "/{celebrity}/portrait",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}, "image/png": {}}}, **_ERRORS},
)
async def get_portrait(
    request: Request,
    services: ServicesNow,
    celebrity: CelebrityId,
    width: Annotated[int, Query(ge=1, le=960, description="Wanted, in pixels.")] = 330,
) -> Response:
    """A picture of the celebrity; ``attribution`` says whom to credit for it."""
    portrait = await services.client.portrait(f"celebrities/{celebrity}", width_px=width)
    # A card is drawn where no picture was found; one may be found later.
    drawn = portrait.source == celebrity_pb2.PORTRAIT_SOURCE_CARD
    tag = f'"{hashlib.sha256(portrait.image).hexdigest()[:32]}"'
    headers = {
        "Cache-Control": f"public, max-age={HOUR_S if drawn else DAY_S}",
        "ETag": tag,
        # Those who called /predict show it on pages of their own.
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Link": f'</celebrities/{celebrity}/portrait/attribution>; rel="describedby"',
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(portrait.image, media_type=portrait.mime_type, headers=headers)


@router.get("/{celebrity}/portrait/attribution", responses=_ERRORS)
async def get_attribution(
    response: Response, services: ServicesNow, celebrity: CelebrityId
) -> Attribution:
    """Whom to credit for the portrait; show it with the picture."""
    portrait = await services.client.portrait(f"celebrities/{celebrity}")
    response.headers["Cache-Control"] = f"public, max-age={HOUR_S}"
    by = portrait.attribution
    return Attribution(
        source=_SOURCES.get(portrait.source, "unknown"),
        artist=by.artist,
        license=by.license,
        license_url=by.license_url,
        source_url=by.source_url,
    )
