"""CelebrityService: protobuf to domain and back, nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import grpc
from google.protobuf import timestamp_pb2

from lookalike.v1 import celebrity_pb2, celebrity_pb2_grpc
from model_server.analyzer import Enrolment
from model_server.errors import InvalidRequestError
from model_server.gallery.celebrity import Celebrity, check_celebrity, is_id, slug
from model_server.gallery.gallery import MUTABLE_FIELDS, Gallery, photo_digest
from model_server.gallery.store import NewFace
from model_server.portraits.chain import PortraitChain
from model_server.portraits.portrait import PortraitSource
from model_server.workers import Workers

__all__ = ["CelebrityService", "celebrity_to_proto"]

PREFIX = "celebrities/"
DEFAULT_PAGE = 50
MAX_PAGE = 1000
DEFAULT_WIDTH_PX = 330
MAX_WIDTH_PX = 960
MAX_PHOTOS = 20

_SOURCES = {
    PortraitSource.GALLERY: celebrity_pb2.PORTRAIT_SOURCE_GALLERY,
    PortraitSource.WIKIMEDIA: celebrity_pb2.PORTRAIT_SOURCE_WIKIMEDIA,
    PortraitSource.GOOGLE: celebrity_pb2.PORTRAIT_SOURCE_GOOGLE,
    PortraitSource.CARD: celebrity_pb2.PORTRAIT_SOURCE_CARD,
}

Context = grpc.aio.ServicerContext[Any, Any]


class Enroller(Protocol):
    """Looks at the photo of a celebrity-to-be."""

    def enrol(self, data: bytes, cancelled: Callable[[], bool]) -> Enrolment:
        """The one face of a photo; raises CancelledError once ``cancelled`` is true."""
        ...


class CelebrityService(celebrity_pb2_grpc.CelebrityServiceServicer):
    """Manages the gallery.

    Args:
        gallery: The celebrities.
        enroller: Looks at new photos.
        portraits: Finds pictures.
        workers: Run the enroller.
    """

    def __init__(
        self, gallery: Gallery, enroller: Enroller, portraits: PortraitChain, workers: Workers
    ) -> None:
        self._gallery = gallery
        self._enroller = enroller
        self._portraits = portraits
        self._workers = workers

    async def GetCelebrity(
        self, request: celebrity_pb2.GetCelebrityRequest, context: Context
    ) -> celebrity_pb2.GetCelebrityResponse:
        """One celebrity."""
        celebrity = await asyncio.to_thread(self._gallery.get, _id(request.name))
        return celebrity_pb2.GetCelebrityResponse(celebrity=celebrity_to_proto(celebrity))

    async def ListCelebrities(
        self, request: celebrity_pb2.ListCelebritiesRequest, context: Context
    ) -> celebrity_pb2.ListCelebritiesResponse:
        """One page of celebrities."""
        if request.page_size < 0:
            raise InvalidRequestError(
                f"page_size is {request.page_size}: send 1 to {MAX_PAGE}, or 0 for {DEFAULT_PAGE}",
                metadata={"field": "page_size"},
            )
        # AIP-158: a page size that is too large is lowered, not refused.
        page = await asyncio.to_thread(
            self._gallery.list,
            page_size=min(request.page_size or DEFAULT_PAGE, MAX_PAGE),
            page_token=request.page_token,
            query=" ".join(request.query.split()),
            required_tags=tuple(request.required_tags),
        )
        return celebrity_pb2.ListCelebritiesResponse(
            celebrities=[celebrity_to_proto(celebrity) for celebrity in page.celebrities],
            next_page_token=page.next_token,
            total_size=page.total,
        )

    async def CreateCelebrity(
        self, request: celebrity_pb2.CreateCelebrityRequest, context: Context
    ) -> celebrity_pb2.CreateCelebrityResponse:
        """Adds a celebrity."""
        if len(request.photos) > MAX_PHOTOS:
            raise InvalidRequestError(
                f"there are {len(request.photos)} photos: send {MAX_PHOTOS} at most, "
                "and the others with AddCelebrityPhoto",
                metadata={"field": "photos"},
            )
        display_name = " ".join(request.celebrity.display_name.split())
        celebrity_id = request.celebrity_id or slug(display_name)
        celebrity = _celebrity(celebrity_id, display_name, request.celebrity)
        # Before the photos are looked at: this is the more basic mistake, and cheap to find.
        check_celebrity(celebrity)
        faces = await self._look(request.photos) if request.photos else []
        created = await asyncio.to_thread(self._gallery.create, celebrity, faces)
        return celebrity_pb2.CreateCelebrityResponse(celebrity=celebrity_to_proto(created))

    async def UpdateCelebrity(
        self, request: celebrity_pb2.UpdateCelebrityRequest, context: Context
    ) -> celebrity_pb2.UpdateCelebrityResponse:
        """Changes a celebrity."""
        paths = list(request.update_mask.paths)
        for path in paths:
            if path not in MUTABLE_FIELDS:
                raise InvalidRequestError(
                    f"update_mask: {path} cannot be changed, only {', '.join(MUTABLE_FIELDS)}",
                    metadata={"field": "update_mask"},
                )
        given = request.celebrity
        celebrity = _celebrity(_id(given.name), " ".join(given.display_name.split()), given)
        changed = await asyncio.to_thread(self._gallery.update, celebrity, paths)
        return celebrity_pb2.UpdateCelebrityResponse(celebrity=celebrity_to_proto(changed))

    async def DeleteCelebrity(
        self, request: celebrity_pb2.DeleteCelebrityRequest, context: Context
    ) -> celebrity_pb2.DeleteCelebrityResponse:
        """Removes a celebrity."""
        await asyncio.to_thread(self._gallery.delete, _id(request.name))
        return celebrity_pb2.DeleteCelebrityResponse()

    async def AddCelebrityPhoto(
        self, request: celebrity_pb2.AddCelebrityPhotoRequest, context: Context
    ) -> celebrity_pb2.AddCelebrityPhotoResponse:
        """Adds a face of a celebrity."""
        celebrity_id = _id(request.name)
        # Before the photo is looked at: an unknown celebrity is the more basic mistake.
        await asyncio.to_thread(self._gallery.get, celebrity_id)
        [face] = await self._look([request.photo])
        changed = await asyncio.to_thread(self._gallery.add_face, celebrity_id, face)
        return celebrity_pb2.AddCelebrityPhotoResponse(celebrity=celebrity_to_proto(changed))

    async def GetCelebrityPortrait(
        self, request: celebrity_pb2.GetCelebrityPortraitRequest, context: Context
    ) -> celebrity_pb2.GetCelebrityPortraitResponse:
        """A picture of a celebrity."""
        if not 0 <= request.width_px <= MAX_WIDTH_PX:
            raise InvalidRequestError(
                f"width_px is {request.width_px}: send 1 to {MAX_WIDTH_PX}, "
                f"or 0 for {DEFAULT_WIDTH_PX}",
                metadata={"field": "width_px"},
            )
        celebrity = await asyncio.to_thread(self._gallery.get, _id(request.name))
        portrait = await self._portraits.get(celebrity, request.width_px or DEFAULT_WIDTH_PX)
        return celebrity_pb2.GetCelebrityPortraitResponse(
            image=portrait.image,
            mime_type=portrait.mime_type,
            source=_SOURCES[portrait.source],
            attribution=celebrity_pb2.PortraitAttribution(
                artist=portrait.artist,
                license=portrait.license,
                license_url=portrait.license_url,
                source_url=portrait.source_url,
            ),
        )

    async def _look(self, photos: Sequence[celebrity_pb2.CelebrityPhoto]) -> list[NewFace]:
        def look(cancelled: Callable[[], bool]) -> list[NewFace]:
            return [
                _new_face(photo, self._enroller.enrol(photo.content, cancelled)) for photo in photos
            ]

        return await self._workers.run(look)


def _new_face(photo: celebrity_pb2.CelebrityPhoto, enrolment: Enrolment) -> NewFace:
    return NewFace(
        enrolment.embedding,
        enrolment.quality,
        photo_digest(photo.content),
        enrolment.picture if photo.keep_picture else None,
    )


def _id(name: str) -> str:
    prefix, slash, celebrity_id = name.partition("/")
    if prefix + slash != PREFIX or not is_id(celebrity_id):
        raise InvalidRequestError(
            f'name is not of the form "{PREFIX}ID", such as "{PREFIX}ada-lovelace"',
            metadata={"field": "name"},
        )
    return celebrity_id


def _celebrity(celebrity_id: str, display_name: str, message: celebrity_pb2.Celebrity) -> Celebrity:
    return Celebrity(
        celebrity_id,
        display_name,
        tuple(dict.fromkeys(" ".join(alias.split()) for alias in message.aliases)),
        tuple(dict.fromkeys(message.tags)),
        message.wikidata_id,
    )


def celebrity_to_proto(celebrity: Celebrity) -> celebrity_pb2.Celebrity:
    """The celebrity as the contract has it."""
    created, updated = timestamp_pb2.Timestamp(), timestamp_pb2.Timestamp()
    created.FromDatetime(celebrity.create_time)
    updated.FromDatetime(celebrity.update_time)
    return celebrity_pb2.Celebrity(
        name=PREFIX + celebrity.id,
        display_name=celebrity.display_name,
        aliases=celebrity.aliases,
        tags=celebrity.tags,
        wikidata_id=celebrity.wikidata_id,
        face_count=celebrity.face_count,
        has_picture=celebrity.has_picture,
        create_time=created,
        update_time=updated,
    )
