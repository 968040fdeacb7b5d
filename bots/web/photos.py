"""What the page asks about photos: the answer, the card, a comparison."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from bots.core.analyst import FACES
from bots.core.answer import Answer, Asker, NumberedFace, number_faces
from bots.core.errors import NoFace
from bots.core.reply import LineKind
from bots.core.wording import comparison_lines, hidden_faces_text
from bots.web.problems import PROBLEM_RESPONSES
from bots.web.schemas import Comparison, PhotoAnswer, data_url, photo_answer_from
from bots.web.services import ServicesNow, WebServices, client_key, limit_photos, texts_of
from bots.web.uploads import multipart_body, read_photos
from lookalike.v1 import photo_pb2

__all__ = ["answer_about", "router"]

router = APIRouter(
    prefix="/api",
    tags=["photos"],
    dependencies=[Depends(limit_photos)],
    responses=PROBLEM_RESPONSES,
)

MATCHES = 10
"""Look-alikes of each face."""


@router.post("/photos", openapi_extra=multipart_body("file"))
async def analyze_photo(request: Request, services: ServicesNow) -> PhotoAnswer:
    """Everything about a photo: caption, faces, descriptions, look-alikes."""
    answer = await answer_about(request, services, include_crops=True)
    texts = texts_of(request)
    return photo_answer_from(
        answer.photos[0],
        answer.faces,
        texts,
        hidden_faces=answer.hidden_faces,
        hidden_faces_note=hidden_faces_text(answer, texts) if answer.hidden_faces else "",
        sensitive=answer.spoiler,
        speech=services.renderer.spoken(answer, texts),
    )


@router.post(
    "/cards",
    openapi_extra=multipart_body("file"),
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
async def draw_card(
    request: Request,
    services: ServicesNow,
    face: Annotated[
        int | None, Query(ge=0, lt=30, description="Only this face, from 0; else all.")
    ] = None,
    match: Annotated[
        int, Query(ge=0, lt=MATCHES, description="Which of the face's look-alikes, from 0.")
    ] = 0,
) -> Response:
    """The side-by-side picture, as a JPEG. Nothing is remembered: the photo comes again."""
    answer = await answer_about(request, services, include_crops=True)
    if face is not None:
        answer = _only(answer, face, match)
    reply = await services.renderer.overview(answer, texts_of(request))
    if reply.picture is None:
        raise NoFace("no face to draw", reason="NO_FACE")
    return Response(reply.picture.content, media_type=reply.picture.mime_type)


@router.post("/comparisons", openapi_extra=multipart_body("first", "second"))
async def compare_photos(request: Request, services: ServicesNow) -> Comparison:
    """How alike the largest faces of two photos are."""
    settings = services.settings
    first, second = await read_photos(
        request,
        ("first", "second"),
        max_bytes=settings.web_max_photo_bytes,
        seconds=settings.web_upload_s,
    )
    async with services.turn(request):
        response = await services.client.compare(first, second, include_crops=True)
    lines = comparison_lines(response.similarity, texts_of(request))
    return Comparison(
        likeness=response.similarity.likeness,
        similarity=response.similarity.cosine,
        same_person_probability=response.similarity.same_person_probability,
        verdict=" ".join(line.text for line in lines if line.kind is not LineKind.TITLE),
        first_crop=data_url(response.first_face.crop),
        second_crop=data_url(response.second_face.crop),
    )


async def answer_about(
    request: Request, services: WebServices, *, include_crops: bool, max_matches: int = MATCHES
) -> Answer:
    """What the model server says about the form's ``file``.

    Raises:
        ClientError: The photo is none, or the server cannot.
        Problem: The form is no good, or the client has too much waiting.
    """
    settings = services.settings
    (photo,) = await read_photos(
        request, ("file",), max_bytes=settings.web_max_photo_bytes, seconds=settings.web_upload_s
    )
    async with services.turn(request):
        response = await services.client.analyze(
            photo, max_faces=FACES, max_matches=max_matches, include_crops=include_crops
        )
    faces, hidden = number_faces((response,), settings.max_faces)
    return Answer(
        key="",
        asker=Asker("web", client_key(request), ""),
        photos=(response,),
        faces=faces,
        hidden_faces=hidden,
        more_hidden=len(response.faces) >= FACES,
        spoiler=services.is_sensitive(response),
    )


def _only(answer: Answer, face: int, match: int) -> Answer:
    """The answer about one face, with one of its look-alikes first."""
    if face >= len(answer.faces):
        raise NoFace("the photo has fewer faces", reason="NO_FACE")
    shown = photo_pb2.Face()
    shown.CopyFrom(answer.faces[face].face)
    if match < len(shown.matches):
        chosen = photo_pb2.CelebrityMatch()
        chosen.CopyFrom(shown.matches[match])
        del shown.matches[:]
        shown.matches.append(chosen)
    return replace(answer, faces=(NumberedFace(1, 0, shown),))
