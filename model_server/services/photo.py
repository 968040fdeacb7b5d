"""PhotoService: protobuf to domain and back, nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc

from lookalike.v1 import photo_pb2, photo_pb2_grpc
from model_server.analysis import (
    Analysis,
    BoundingBox,
    Caption,
    Comparison,
    FaceAnalysis,
    Match,
    Similarity,
)
from model_server.analyzer import AnalyzeOptions, Analyzer
from model_server.errors import InvalidRequestError, LookalikeError, status_code
from model_server.gallery.celebrity import check_required_tags
from model_server.services.celebrity import celebrity_to_proto
from model_server.streaming import answer_in_order
from model_server.workers import Workers

__all__ = ["PhotoService"]

MAX_FACES = 30
MAX_MATCHES = 50
MAX_ADDITIONAL_PHOTOS = 9
STREAM_AT_ONCE = 4
"""Photos of one stream that are worked on at the same time."""

Context = grpc.aio.ServicerContext[Any, Any]


class PhotoService(photo_pb2_grpc.PhotoServiceServicer):
    """Answers questions about photos.

    Args:
        analyzer: The pipeline.
        workers: Run it.
    """

    def __init__(self, analyzer: Analyzer, workers: Workers) -> None:
        self._analyzer = analyzer
        self._workers = workers

    async def AnalyzePhoto(
        self, request: photo_pb2.AnalyzePhotoRequest, context: Context
    ) -> photo_pb2.AnalyzePhotoResponse:
        """Everything about one photo."""
        return await self._analyze(request)

    async def DescribePhoto(
        self, request: photo_pb2.DescribePhotoRequest, context: Context
    ) -> photo_pb2.DescribePhotoResponse:
        """The caption of one photo."""
        analysis = await self._workers.analyze(
            lambda cancelled: self._analyzer.describe(request.photo, cancelled)
        )
        return photo_pb2.DescribePhotoResponse(
            caption=_caption(analysis.caption),
            nsfw_score=_nsfw_score(analysis),
            processing_info=_processing_info(analysis),
        )

    async def MatchFaces(
        self, request: photo_pb2.MatchFacesRequest, context: Context
    ) -> photo_pb2.MatchFacesResponse:
        """The faces of one photo and whom they resemble, or one person from several photos."""
        options = _options(request.match_options)
        photos = (request.photo, *request.additional_photos)
        if len(photos) - 1 > MAX_ADDITIONAL_PHOTOS:
            raise InvalidRequestError(
                f"there are {len(photos) - 1} additional_photos: "
                f"send {MAX_ADDITIONAL_PHOTOS} at most",
                metadata={"field": "additional_photos"},
            )
        analysis = await self._workers.analyze(
            lambda cancelled: (
                self._analyzer.match_together(photos, options, cancelled)
                if len(photos) > 1
                else self._analyzer.match(request.photo, options, cancelled)
            )
        )
        return photo_pb2.MatchFacesResponse(
            faces=[_face(face) for face in analysis.faces],
            image_size=photo_pb2.ImageSize(width=analysis.width, height=analysis.height),
            processing_info=_processing_info(analysis),
            additional_faces=[_face(face) for face in analysis.additional_faces],
        )

    async def CompareFaces(
        self, request: photo_pb2.CompareFacesRequest, context: Context
    ) -> photo_pb2.CompareFacesResponse:
        """How alike the largest faces of two photos are."""
        comparison = await self._workers.analyze(
            lambda cancelled: self._analyzer.compare(
                request.first_photo,
                request.second_photo,
                include_crops=request.include_crops,
                cancelled=cancelled,
            )
        )
        return photo_pb2.CompareFacesResponse(
            similarity=_similarity(comparison.similarity),
            first_face=_face(comparison.first),
            second_face=_face(comparison.second),
            processing_info=_processing_info(comparison),
        )

    async def AnalyzePhotoStream(
        self,
        request_iterator: AsyncIterator[photo_pb2.AnalyzePhotoStreamRequest],
        context: Context,
    ) -> AsyncIterator[photo_pb2.AnalyzePhotoStreamResponse]:
        """Many photos over one call, answered in order."""
        answers = answer_in_order(request_iterator, self._analyze_one_of_stream, STREAM_AT_ONCE)
        async with aclosing(answers) as responses:
            async for response in responses:
                yield response

    async def _analyze_one_of_stream(
        self, request: photo_pb2.AnalyzePhotoStreamRequest
    ) -> photo_pb2.AnalyzePhotoStreamResponse:
        try:
            response = await self._analyze(request.request)
        except LookalikeError as error:
            return photo_pb2.AnalyzePhotoStreamResponse(
                sequence=request.sequence,
                error=photo_pb2.PhotoError(
                    code=status_code(error).value[0],
                    message=error.message,
                    reason=error.reason,
                    retry_after_seconds=error.retry_after_s or 0.0,
                ),
            )
        return photo_pb2.AnalyzePhotoStreamResponse(sequence=request.sequence, response=response)

    async def _analyze(
        self, request: photo_pb2.AnalyzePhotoRequest
    ) -> photo_pb2.AnalyzePhotoResponse:
        options = _options(request.match_options)
        analysis = await self._workers.analyze(
            lambda cancelled: self._analyzer.analyze(request.photo, options, cancelled)
        )
        return photo_pb2.AnalyzePhotoResponse(
            caption=_caption(analysis.caption),
            faces=[_face(face) for face in analysis.faces],
            image_size=photo_pb2.ImageSize(width=analysis.width, height=analysis.height),
            nsfw_score=_nsfw_score(analysis),
            processing_info=_processing_info(analysis),
        )


def _options(options: photo_pb2.MatchOptions) -> AnalyzeOptions:
    defaults = AnalyzeOptions()
    check_required_tags(options.required_tags, "match_options.required_tags")
    return AnalyzeOptions(
        max_faces=_bounded("max_faces", options.max_faces, MAX_FACES) or defaults.max_faces,
        max_matches=_bounded("max_matches", options.max_matches, MAX_MATCHES)
        or defaults.max_matches,
        required_tags=tuple(options.required_tags),
        include_crops=options.include_crops,
    )


def _bounded(name: str, value: int, most: int) -> int:
    if not 0 <= value <= most:
        raise InvalidRequestError(
            f"match_options.{name} is {value}: choose 1 to {most}, or 0 for the default",
            metadata={"field": f"match_options.{name}"},
        )
    return value


def _face(face: FaceAnalysis) -> photo_pb2.Face:
    return photo_pb2.Face(
        box=_box(face.detection.box),
        landmarks=[photo_pb2.Point(x=float(x), y=float(y)) for x, y in face.detection.landmarks],
        detection_score=face.detection.score,
        quality=face.quality,
        caption=_caption(face.caption),
        attributes=[
            photo_pb2.FaceAttribute(name=attribute.name, value=attribute.value)
            for attribute in face.attributes
        ],
        matches=[_match(match) for match in face.matches],
        crop=face.crop,
    )


def _match(match: Match) -> photo_pb2.CelebrityMatch:
    return photo_pb2.CelebrityMatch(
        celebrity=celebrity_to_proto(match.celebrity), similarity=_similarity(match.similarity)
    )


def _box(box: BoundingBox) -> photo_pb2.BoundingBox:
    return photo_pb2.BoundingBox(
        x=round(box.x), y=round(box.y), width=round(box.width), height=round(box.height)
    )


def _caption(caption: Caption | None) -> photo_pb2.Caption | None:
    if caption is None:
        return None
    return photo_pb2.Caption(text=caption.text, log_probability=caption.log_probability)


def _nsfw_score(analysis: Analysis) -> float | None:
    return analysis.caption.nsfw_score if analysis.caption else None


def _similarity(similarity: Similarity) -> photo_pb2.Similarity:
    return photo_pb2.Similarity(
        cosine=similarity.cosine,
        likeness=similarity.likeness,
        same_person_probability=similarity.same_person_probability,
    )


def _processing_info(result: Analysis | Comparison) -> photo_pb2.ProcessingInfo:
    return photo_pb2.ProcessingInfo(
        timings_ms=result.timings_ms, model_versions=result.model_versions
    )
