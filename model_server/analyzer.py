"""From photo to analysis: the whole pipeline, readable top to bottom.

Everything here blocks and may be called from several threads at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from model_server.analysis import (
    Analysis,
    BoundingBox,
    Caption,
    Comparison,
    Detection,
    FaceAnalysis,
    FloatArray,
)
from model_server.captioning.face_grammar import describe, parse
from model_server.errors import NoFaceError, PoorFaceError, SeveralFacesError
from model_server.faces.alignment import align_portrait, crop_face
from model_server.faces.quality import face_quality
from model_server.faces.together import choose_faces, weighted_mean
from model_server.imaging import DecodedPhoto, decode, encode_jpeg
from model_server.limits import ImageLimits
from model_server.priority import compute_politely
from model_server.protocols import Gallery, Models
from model_server.stopwatch import Stopwatch

__all__ = ["AnalyzeOptions", "Analyzer", "Enrolment"]

_FACE_PARTS = ("detector", "embedder")
_ALL_PARTS = (*_FACE_PARTS, "photos", "faces")

MIN_ENROLMENT_QUALITY = 0.2
"""Below this a face tells too little of its person to be kept in the gallery."""


@dataclass(frozen=True, slots=True)
class AnalyzeOptions:
    """What to return about a photo."""

    max_faces: int = 10
    max_matches: int = 5
    required_tags: tuple[str, ...] = ()
    include_crops: bool = False


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A face that may enter the gallery.

    Attributes:
        embedding: Unit vector, shape (D,).
        quality: 0..1.
        picture: JPEG of the head with a margin, upright.
    """

    embedding: FloatArray
    quality: float
    picture: bytes


class Analyzer:
    """The pipeline.

    Args:
        models: The networks.
        gallery: The celebrities.
        limits: What a photo may be.
        threads: Photos whose caption is written beside the search for faces at
            the same time.
    """

    def __init__(
        self,
        models: Models,
        gallery: Gallery,
        limits: ImageLimits | None = None,
        threads: int = 2,
    ) -> None:
        self._models = models
        self._gallery = gallery
        self._limits = limits or ImageLimits()
        self._side = ThreadPoolExecutor(
            threads, thread_name_prefix="caption", initializer=compute_politely
        )

    @property
    def models(self) -> Models:
        """The networks, for those who want to look at a single stage."""
        return self._models

    def close(self) -> None:
        """Waits for what runs and frees the threads."""
        self._side.shutdown()

    def analyze(
        self,
        data: bytes,
        options: AnalyzeOptions,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Analysis:
        """Everything about one photo.

        Args:
            data: Bytes of an image file.
            options: What to return.
            cancelled: Asked between stages and while captions are written; once true, the
                work is given up.

        Raises:
            InvalidPhotoError: The bytes are no photo that we can use.
            CancelledError: ``cancelled`` became true.
        """
        watch = Stopwatch(cancelled)
        photo = self._decode(data, watch)
        # The photo's caption and its faces need nothing of each other.
        caption = self._side.submit(self._caption, photo, watch)
        try:
            faces, embeddings = self._find_faces(photo, options, watch)
            faces = self._match(faces, embeddings, options, watch)
            faces = self._describe(photo, faces, watch)
        except BaseException:
            caption.cancel()
            raise
        # Where no thread was free to begin with it, cancelling works and we write it here.
        written = self._caption(photo, watch) if caption.cancel() else caption.result()
        return self._analysis(photo, watch, _ALL_PARTS, caption=written, faces=faces)

    def describe(self, data: bytes, cancelled: Callable[[], bool] = lambda: False) -> Analysis:
        """The caption of one photo; raises as :meth:`analyze`."""
        watch = Stopwatch(cancelled)
        photo = self._decode(data, watch)
        caption = self._caption(photo, watch)
        return self._analysis(photo, watch, ("photos",), caption=caption)

    def match(
        self,
        data: bytes,
        options: AnalyzeOptions,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Analysis:
        """The faces of one photo and whom they resemble; raises as :meth:`analyze`."""
        watch = Stopwatch(cancelled)
        photo = self._decode(data, watch)
        faces, embeddings = self._find_faces(photo, options, watch)
        faces = self._match(faces, embeddings, options, watch)
        return self._analysis(photo, watch, _FACE_PARTS, faces=faces)

    def match_together(
        self,
        photos: Sequence[bytes],
        options: AnalyzeOptions,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Analysis:
        """Whom one person resembles, from several photos.

        Args:
            photos: Of image files; the person is the largest face of the first one.
            options: What to return; ``max_faces`` bounds the faces looked at in the others.
            cancelled: Asked between stages; once true, the work is given up.

        Raises:
            NoFaceError: A photo shows no face.
            WrongPersonError: A photo shows nobody like the person.
            InvalidPhotoError: The bytes are no photo that we can use.
            CancelledError: ``cancelled`` became true.
        """
        watch = Stopwatch(cancelled)
        size: tuple[int, int] | None = None
        faces: list[list[FaceAnalysis]] = []
        embeddings: list[FloatArray] = []
        for number, data in enumerate(photos):
            photo = self._decode(data, watch)
            size = size or (photo.width, photo.height)
            found, vectors = self._find_faces(photo, options, watch)
            if not found:
                raise _no_face(f"photo {number + 1}", str(number))
            faces.append([_at_full_size(face, photo) for face in found])
            embeddings.append(vectors)
        with watch.stage("search"):
            chosen = choose_faces(
                embeddings,
                lambda one, other: self._gallery.compare(one, other).same_person_probability,
            )
        own = [found[row] for found, row in zip(faces, chosen, strict=True)]
        rows = np.stack([found[row] for found, row in zip(embeddings, chosen, strict=True)])
        mean = weighted_mean(rows, [face.quality for face in own])
        [first] = self._match(own[:1], mean[None], options, watch)
        width, height = size or (0, 0)
        return Analysis(
            width,
            height,
            None,
            (first,),
            watch.finish(),
            self._versions(_FACE_PARTS),
            additional_faces=tuple(own[1:]),
        )

    def compare(
        self,
        first: bytes,
        second: bytes,
        *,
        include_crops: bool = False,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Comparison:
        """How alike the largest faces of two photos are.

        Raises:
            NoFaceError: A photo shows no face.
            InvalidPhotoError: The bytes are no photo that we can use.
            CancelledError: ``cancelled`` became true.
        """
        watch = Stopwatch(cancelled)
        options = AnalyzeOptions(max_faces=1, include_crops=include_crops)
        faces: list[FaceAnalysis] = []
        embeddings: list[FloatArray] = []
        for which, data in (("first", first), ("second", second)):
            photo = self._decode(data, watch)
            found, vectors = self._find_faces(photo, options, watch)
            if not found:
                raise _no_face(f"the {which} photo", which)
            faces.append(_at_full_size(found[0], photo))
            embeddings.append(vectors[0])
        similarity = self._gallery.compare(embeddings[0], embeddings[1])
        versions = self._versions(_FACE_PARTS)
        return Comparison(similarity, faces[0], faces[1], watch.finish(), versions)

    def enrol(self, data: bytes, cancelled: Callable[[], bool] = lambda: False) -> Enrolment:
        """Looks at a photo of a celebrity-to-be.

        Args:
            data: Bytes of an image file.
            cancelled: Asked between stages; once true, the work is given up.

        Raises:
            NoFaceError: The photo shows no face.
            SeveralFacesError: It shows more than one.
            PoorFaceError: The face tells too little of its person.
            InvalidPhotoError: The bytes are no photo that we can use.
            CancelledError: ``cancelled`` became true.
        """
        watch = Stopwatch(cancelled)
        photo = self._decode(data, watch)
        with watch.stage("detect"):
            detections = self._models.detector.detect(photo.pixels, photo.reduced)
        if not detections:
            raise NoFaceError("no face was found: choose a photo that shows the face well")
        if len(detections) > 1:
            raise SeveralFacesError(
                f"{len(detections)} faces were found: choose or cut a photo with exactly one",
                metadata={"faces": str(len(detections))},
            )
        quality = face_quality(photo.pixels, detections[0])
        if quality < MIN_ENROLMENT_QUALITY:
            raise PoorFaceError(
                "the face is too small, blurred or turned away: choose a clearer photo",
                metadata={"quality": f"{quality:.2f}"},
            )
        with watch.stage("embed"):
            embedding = self._models.embedder.embed(photo.pixels, detections)[0]
        head = crop_face(photo.pixels, detections[0].box, margin=0.5, max_side=512)
        return Enrolment(embedding, quality, encode_jpeg(head))

    def _decode(self, data: bytes, watch: Stopwatch) -> DecodedPhoto:
        with watch.stage("decode"):
            return decode(data, self._limits)

    def _caption(self, photo: DecodedPhoto, watch: Stopwatch) -> Caption:
        with watch.stage("caption"):
            return self._models.photos.caption([photo.reduced], watch.cancelled)[0]

    def _find_faces(
        self, photo: DecodedPhoto, options: AnalyzeOptions, watch: Stopwatch
    ) -> tuple[list[FaceAnalysis], FloatArray]:
        with watch.stage("detect"):
            detections = self._models.detector.detect(photo.pixels, photo.reduced)[
                : options.max_faces
            ]
        with watch.stage("embed"):
            embeddings = self._models.embedder.embed(photo.pixels, detections)
        faces = [
            FaceAnalysis(
                detection,
                quality=face_quality(photo.pixels, detection),
                crop=self._crop(photo, detection) if options.include_crops else b"",
            )
            for detection in detections
        ]
        return faces, embeddings

    def _match(
        self,
        faces: list[FaceAnalysis],
        embeddings: FloatArray,
        options: AnalyzeOptions,
        watch: Stopwatch,
    ) -> list[FaceAnalysis]:
        with watch.stage("search"):
            matches = self._gallery.match(
                embeddings, max_matches=options.max_matches, required_tags=options.required_tags
            )
        return [replace(face, matches=found) for face, found in zip(faces, matches, strict=True)]

    def _describe(
        self, photo: DecodedPhoto, faces: list[FaceAnalysis], watch: Stopwatch
    ) -> list[FaceAnalysis]:
        with watch.stage("describe"):
            portraits = [align_portrait(photo.pixels, face.detection) for face in faces]
            captions = self._models.faces.caption(portraits, watch.cancelled)
        described = []
        for face, caption in zip(faces, captions, strict=True):
            attributes = parse(caption.text)
            # Said again in the grammar's own way: with commas, nothing twice, nothing at odds.
            worded = replace(caption, text=describe(attributes))
            described.append(replace(face, caption=worded, attributes=attributes))
        return described

    def _crop(self, photo: DecodedPhoto, detection: Detection) -> bytes:
        return encode_jpeg(crop_face(photo.pixels, detection.box, margin=0.4, max_side=512))

    def _analysis(
        self,
        photo: DecodedPhoto,
        watch: Stopwatch,
        parts: Sequence[str],
        *,
        caption: Caption | None = None,
        faces: Sequence[FaceAnalysis] = (),
    ) -> Analysis:
        return Analysis(
            photo.width,
            photo.height,
            caption,
            tuple(_at_full_size(face, photo) for face in faces),
            watch.finish(),
            self._versions(parts),
        )

    def _versions(self, parts: Sequence[str]) -> dict[str, str]:
        return {part: getattr(self._models, part).version for part in parts}


def _no_face(where: str, photo: str) -> NoFaceError:
    return NoFaceError(
        f"no face was found in {where}: "
        "send one that shows a face from the front, larger and well lit",
        metadata={"photo": photo},
    )


def _at_full_size(face: FaceAnalysis, photo: DecodedPhoto) -> FaceAnalysis:
    """The face in pixels of the full-size photo, its box clipped to it."""
    scale = photo.scale
    box, landmarks = face.detection.box, face.detection.landmarks
    left, top = max(box.x * scale, 0.0), max(box.y * scale, 0.0)
    right = min((box.x + box.width) * scale, photo.width)
    bottom = min((box.y + box.height) * scale, photo.height)
    clipped = BoundingBox(left, top, right - left, bottom - top)
    return replace(face, detection=Detection(clipped, landmarks * scale, face.detection.score))
