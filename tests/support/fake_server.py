"""A real gRPC server with made-up answers, for the tests of the bots.

What it answers is scripted: by default one face of a pretend celebrity. The photo's own
bytes choose among scripts, so that a test can tell which answer belongs to which photo.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import av
import grpc
from google.protobuf import any_pb2, duration_pb2, field_mask_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from PIL import Image

from lookalike.v1 import celebrity_pb2, celebrity_pb2_grpc, photo_pb2, photo_pb2_grpc

__all__ = [
    "Failure",
    "FakeServer",
    "analysis",
    "celebrity",
    "face",
    "picture",
    "running_server",
    "video",
]

_CHANGEABLE = ("display_name", "aliases", "tags", "wikidata_id")


def picture(
    color: str | tuple[int, int, int] = "teal",
    size: tuple[int, int] = (64, 64),
    file_format: str = "JPEG",
) -> bytes:
    """The bytes of a picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, file_format)
    return buffer.getvalue()


def video(color: str, container: str = "mp4", codec: str = "mpeg4") -> bytes:
    """A short film of one colour."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as target:
        stream: Any = target.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        picture = Image.new("RGB", (96, 64), color)
        for _ in range(5):
            target.mux(stream.encode(av.VideoFrame.from_image(picture)))
        target.mux(stream.encode(None))
    return buffer.getvalue()


def celebrity(number: int) -> celebrity_pb2.Celebrity:
    """A pretend celebrity."""
    return celebrity_pb2.Celebrity(
        name=f"celebrities/star-{number}",
        display_name=f"Star {number}",
        aliases=[f"The {number}"],
        tags=["field:actor"],
        wikidata_id=f"Q{number}",
        face_count=number,
    )


def similarity(likeness: float) -> photo_pb2.Similarity:
    """Likeness 0..100, the rest to go with it."""
    return photo_pb2.Similarity(
        cosine=likeness / 100, likeness=likeness, same_person_probability=likeness / 200
    )


def face(*, x: int = 10, matches: int = 10, first: int = 1) -> photo_pb2.Face:
    """A face with brown hair that resembles ``matches`` celebrities, the first being ``first``."""
    return photo_pb2.Face(
        box=photo_pb2.BoundingBox(x=x, y=10, width=40, height=40),
        detection_score=0.98,
        quality=0.8,
        caption=photo_pb2.Caption(text="oval face, wavy brown hair", log_probability=-0.5),
        attributes=[
            photo_pb2.FaceAttribute(name="face_shape", value="oval"),
            photo_pb2.FaceAttribute(name="hair_style", value="wavy"),
            photo_pb2.FaceAttribute(name="hair_color", value="brown"),
        ],
        matches=[
            photo_pb2.CelebrityMatch(
                celebrity=celebrity(first + place), similarity=similarity(90 - 5 * place)
            )
            for place in range(matches)
        ],
        crop=picture("peru"),
    )


def analysis(
    *faces: photo_pb2.Face, caption: str = "a person smiles", nsfw_score: float | None = None
) -> photo_pb2.AnalyzePhotoResponse:
    """The answer about a photo with these faces."""
    return photo_pb2.AnalyzePhotoResponse(
        caption=photo_pb2.Caption(text=caption, log_probability=-1.0),
        faces=faces,
        image_size=photo_pb2.ImageSize(width=640, height=480),
        nsfw_score=nsfw_score,
        processing_info=photo_pb2.ProcessingInfo(
            timings_ms={"total": 120.0}, model_versions={"embedder": "1", "faces": "2"}
        ),
    )


class Failure(Exception):  # noqa: N818 - it is scripted, not an error of ours
    """An error status, to be raised in place of an answer."""

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str = "made up",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        details: list[Any] = [error_details_pb2.ErrorInfo(reason=reason, domain="lookalike")]
        if retry_after_s is not None:
            delay = duration_pb2.Duration()
            delay.FromMilliseconds(round(retry_after_s * 1000))
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        self.status = status_pb2.Status(code=code_pb2.Code.Value(code.name), message=message)
        for detail in details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            self.status.details.append(packed)


Script = Callable[[bytes], photo_pb2.AnalyzePhotoResponse]


class FakeServer(photo_pb2_grpc.PhotoServiceServicer, celebrity_pb2_grpc.CelebrityServiceServicer):
    """Answers as scripted and remembers what was asked.

    Attributes:
        script: Makes the answer about a photo from its bytes; may raise Failure.
        failures: Raised by the next calls, one each, before the script is asked.
        delay_s: Before each answer about a photo.
        calls: Name of each call with its request, in the order of their arrival.
        gallery: The celebrities there are.
        portrait: Bytes of everybody's portrait.
        portrait_source: Where it is from.
        same_person_probability: Of every comparison; None: as goes with the likeness.
    """

    def __init__(self) -> None:
        self.script: Script = lambda _: analysis(face())
        self.failures: list[Failure] = []
        self.delay_s = 0.0
        self.calls: list[tuple[str, Any]] = []
        self.metadata: list[dict[str, Any]] = []
        self.gallery = {c.name: c for c in (celebrity(n) for n in range(1, 31))}
        self.portrait = picture("gold", (80, 100))
        self.portrait_source = celebrity_pb2.PORTRAIT_SOURCE_WIKIMEDIA
        self.same_person_probability: float | None = None
        self.address = ""
        self.in_flight = 0
        self.most_in_flight = 0

    def count(self, method: str) -> int:
        """How often a call was made."""
        return sum(name == method for name, _ in self.calls)

    async def AnalyzePhoto(self, request: Any, context: Any) -> Any:
        return await self._answer("AnalyzePhoto", request, context, lambda: self._limited(request))

    async def DescribePhoto(self, request: Any, context: Any) -> Any:
        def describe() -> Any:
            full = self.script(request.photo)
            return photo_pb2.DescribePhotoResponse(
                caption=full.caption, processing_info=full.processing_info
            )

        return await self._answer("DescribePhoto", request, context, describe)

    async def MatchFaces(self, request: Any, context: Any) -> Any:
        def match() -> Any:
            full = self._limited(request)
            if not request.additional_photos:
                return photo_pb2.MatchFacesResponse(faces=full.faces, image_size=full.image_size)
            return photo_pb2.MatchFacesResponse(
                faces=[self._together(request)], image_size=full.image_size
            )

        return await self._answer("MatchFaces", request, context, match)

    async def CompareFaces(self, request: Any, context: Any) -> Any:
        def compare() -> Any:
            faces = [
                next(iter(self.script(photo).faces), None)
                for photo in (request.first_photo, request.second_photo)
            ]
            if None in faces:
                raise Failure(grpc.StatusCode.FAILED_PRECONDITION, "NO_FACE")
            alike = similarity(64)
            if self.same_person_probability is not None:
                alike.same_person_probability = self.same_person_probability
            return photo_pb2.CompareFacesResponse(
                similarity=alike, first_face=faces[0], second_face=faces[1]
            )

        return await self._answer("CompareFaces", request, context, compare)

    async def AnalyzePhotoStream(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            self.calls.append(("AnalyzePhotoStream", request))
            try:
                response = self.script(request.request.photo)
            except Failure as failure:
                error = photo_pb2.PhotoError(
                    code=failure.code.value[0],
                    message=failure.status.message,
                    reason="CORRUPT_PHOTO",
                )
                yield photo_pb2.AnalyzePhotoStreamResponse(sequence=request.sequence, error=error)
            else:
                yield photo_pb2.AnalyzePhotoStreamResponse(
                    sequence=request.sequence, response=response
                )

    async def GetCelebrity(self, request: Any, context: Any) -> Any:
        return await self._answer(
            "GetCelebrity",
            request,
            context,
            lambda: celebrity_pb2.GetCelebrityResponse(celebrity=self._known(request.name)),
        )

    async def ListCelebrities(self, request: Any, context: Any) -> Any:
        def page() -> Any:
            if len(request.query) > 200:
                raise Failure(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
            found = [
                c
                for c in self.gallery.values()
                if request.query.casefold() in c.display_name.casefold()
                and set(request.required_tags) <= set(c.tags)
            ]
            start = int(request.page_token or 0)
            stop = start + (request.page_size or 50)
            return celebrity_pb2.ListCelebritiesResponse(
                celebrities=found[start:stop],
                next_page_token=str(stop) if stop < len(found) else "",
                total_size=len(found),
            )

        return await self._answer("ListCelebrities", request, context, page)

    async def CreateCelebrity(self, request: Any, context: Any) -> Any:
        def create() -> Any:
            created = celebrity_pb2.Celebrity()
            created.CopyFrom(request.celebrity)
            slug = request.celebrity_id or created.display_name.lower().replace(" ", "-")
            created.name = f"celebrities/{slug}"
            created.face_count = len(request.photos)
            if created.name in self.gallery:
                raise Failure(grpc.StatusCode.ALREADY_EXISTS, "CELEBRITY_EXISTS")
            self.gallery[created.name] = created
            return celebrity_pb2.CreateCelebrityResponse(celebrity=created)

        return await self._answer("CreateCelebrity", request, context, create)

    async def UpdateCelebrity(self, request: Any, context: Any) -> Any:
        def update() -> Any:
            known = self._known(request.celebrity.name)
            fields = request.update_mask.paths or _CHANGEABLE
            mask = field_mask_pb2.FieldMask(paths=fields)
            mask.MergeMessage(request.celebrity, known, True, True)
            return celebrity_pb2.UpdateCelebrityResponse(celebrity=known)

        return await self._answer("UpdateCelebrity", request, context, update)

    async def DeleteCelebrity(self, request: Any, context: Any) -> Any:
        def delete() -> Any:
            del self.gallery[self._known(request.name).name]
            return celebrity_pb2.DeleteCelebrityResponse()

        return await self._answer("DeleteCelebrity", request, context, delete)

    async def AddCelebrityPhoto(self, request: Any, context: Any) -> Any:
        def add() -> Any:
            known = self._known(request.name)
            known.face_count += 1
            return celebrity_pb2.AddCelebrityPhotoResponse(celebrity=known)

        return await self._answer("AddCelebrityPhoto", request, context, add)

    async def GetCelebrityPortrait(self, request: Any, context: Any) -> Any:
        def portrait() -> Any:
            self._known(request.name)
            return celebrity_pb2.GetCelebrityPortraitResponse(
                image=self.portrait,
                mime_type="image/jpeg",
                source=self.portrait_source,
                attribution=celebrity_pb2.PortraitAttribution(
                    artist="A. Painter", license="CC BY-SA 4.0"
                ),
            )

        return await self._answer("GetCelebrityPortrait", request, context, portrait)

    def _limited(self, request: Any) -> photo_pb2.AnalyzePhotoResponse:
        full = self.script(request.photo)
        for one in full.faces:
            del one.matches[request.match_options.max_matches or 5 :]
            if not request.match_options.include_crops:
                one.ClearField("crop")
        del full.faces[request.match_options.max_faces or 10 :]
        return full

    def _together(self, request: Any) -> photo_pb2.Face:
        """The first photo's face with the last one's look-alikes; whoever is described alike
        is one person.
        """
        faces = [
            next(iter(self.script(photo).faces), None)
            for photo in (request.photo, *request.additional_photos)
        ]
        for number, one in enumerate(faces, start=1):
            if one is None:
                raise Failure(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    "NO_FACE",
                    f"no face was found in photo {number}: send another one",
                )
            if one.caption.text != faces[0].caption.text:
                raise Failure(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    "WRONG_PERSON",
                    f"photo {number} does not seem to show the person of the first photo",
                )
        together = photo_pb2.Face()
        together.CopyFrom(faces[0])
        del together.matches[:]
        together.matches.extend(faces[-1].matches[: request.match_options.max_matches or 5])
        together.ClearField("caption")
        return together

    def _known(self, name: str) -> celebrity_pb2.Celebrity:
        if name not in self.gallery:
            raise Failure(grpc.StatusCode.NOT_FOUND, "CELEBRITY_NOT_FOUND")
        return self.gallery[name]

    async def _answer(
        self, method: str, request: Any, context: Any, make: Callable[[], Any]
    ) -> Any:
        self.calls.append((method, request))
        self.metadata.append(dict(context.invocation_metadata()))
        # Portraits are no work for the models: bots may ask for them beside their photos.
        self.in_flight += method != "GetCelebrityPortrait"
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.delay_s and "Photo" in method:
                await asyncio.sleep(self.delay_s)
            if self.failures:
                raise self.failures.pop(0)
            return make()
        except Failure as failure:
            await context.abort_with_status(rpc_status.to_status(failure.status))
        finally:
            self.in_flight -= method != "GetCelebrityPortrait"


@asynccontextmanager
async def running_server(
    fake: FakeServer | None = None, port: int = 0, options: Sequence[tuple[str, Any]] = ()
) -> AsyncIterator[FakeServer]:
    """The fake, listening on loopback; its ``address`` says where."""
    fake = fake or FakeServer()
    limits = [
        ("grpc.max_receive_message_length", 24 * 2**20),
        ("grpc.max_send_message_length", 16 * 2**20),
        ("grpc.so_reuseport", 0),
        *options,
    ]
    server = grpc.aio.server(options=limits)
    photo_pb2_grpc.add_PhotoServiceServicer_to_server(fake, server)
    celebrity_pb2_grpc.add_CelebrityServiceServicer_to_server(fake, server)
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    await checks.set("lookalike.v1.PhotoService", health_pb2.HealthCheckResponse.SERVING)
    await checks.set("lookalike.v1.CelebrityService", health_pb2.HealthCheckResponse.SERVING)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    fake.address = f"127.0.0.1:{bound}"
    await server.start()
    try:
        yield fake
    finally:
        await server.stop(None)
