"""What the endpoints answer, as JSON; made from the contract's messages."""

from __future__ import annotations

import base64

from pydantic import BaseModel, Field

from bots.core.answer import NumberedFace
from bots.core.describe import CONTEXT, describe_face
from bots.core.languages import Texts
from lookalike.v1 import celebrity_pb2, photo_pb2

__all__ = [
    "Attribution",
    "Box",
    "CelebrityPage",
    "Comparison",
    "Face",
    "ImageSize",
    "Match",
    "Person",
    "PhotoAnswer",
    "Prediction",
    "Speech",
    "celebrity_id",
    "data_url",
    "face_from",
    "person_from",
    "photo_answer_from",
]

_PREFIX = "celebrities/"


class Prediction(BaseModel):
    """The caption of a photo and whom its largest face resembles most."""

    caption: str = Field(description="What the photo shows, in English.")
    matched_celebrity: str | None = Field(description="Name; null where there is no face.")
    similarity_score: float | None = Field(
        description="Cosine of the two faces' embeddings, -1 to 1; null where there is no face."
    )
    actor_image_url: str | None = Field(
        description="Where a portrait of the celebrity can be had; null where there is no face."
    )


class Box(BaseModel):
    """A rectangle in pixels of the upright photo."""

    x: int
    y: int
    width: int
    height: int


class ImageSize(BaseModel):
    """Size of the upright photo in pixels."""

    width: int
    height: int


class Match(BaseModel):
    """A celebrity that a face resembles."""

    id: str = Field(description="Of the celebrity, as in /celebrities/{id}.")
    name: str
    likeness: float = Field(
        description="0 to 100; 50 is as alike as the average person's best match."
    )
    similarity: float = Field(description="Cosine of the two faces' embeddings, -1 to 1.")
    same_person_probability: float = Field(description="Calibrated, 0 to 1.")


class Face(BaseModel):
    """A face of a photo."""

    box: Box
    crop: str = Field(description="The face cut out, as a data: URL; empty in live mode.")
    traits: list[str] = Field(description="The description's parts, in the asker's language.")
    quality: float = Field(description="How well it can be compared, 0 to 1.")
    matches: list[Match] = Field(description="Best first.")


class Speech(BaseModel):
    """An answer as it is read aloud."""

    caption: str = Field(max_length=500, description="English, spoken first; may be empty.")
    words: str = Field(max_length=2000, description="In the asker's language; may be empty.")


class PhotoAnswer(BaseModel):
    """Everything about one photo."""

    caption: str = Field(description="In English.")
    image_size: ImageSize
    faces: list[Face] = Field(description="From left to right, as the card numbers them.")
    hidden_faces: int = Field(
        description="How many more were found than an answer shows; in a crowd not all are counted."
    )
    hidden_faces_note: str = Field(
        description="The same in words, in the asker's language; empty where there are none."
    )
    sensitive: bool = Field(description="Whether the photo is probably not safe for work.")
    speech: Speech
    timings_ms: dict[str, float]
    model_versions: dict[str, str]


class Comparison(BaseModel):
    """How alike the largest faces of two photos are."""

    likeness: float
    similarity: float
    same_person_probability: float
    verdict: str = Field(description="The same in words, in the asker's language.")
    first_crop: str = Field(description="The first face, as a data: URL.")
    second_crop: str = Field(description="The second face, as a data: URL.")


class Person(BaseModel):
    """A celebrity of the gallery."""

    id: str
    name: str
    aliases: list[str]
    tags: list[str]
    wikidata_id: str


class CelebrityPage(BaseModel):
    """One page of the gallery."""

    celebrities: list[Person]
    next_page_token: str = Field(description="Empty on the last page.")
    total_size: int


class Attribution(BaseModel):
    """Whom to credit for a portrait."""

    source: str = Field(description="gallery, wikimedia, google or card (drawn).")
    artist: str
    license: str
    license_url: str
    source_url: str


def celebrity_id(name: str) -> str:
    """The id in ``celebrities/{id}``."""
    return name.removeprefix(_PREFIX)


def person_from(celebrity: celebrity_pb2.Celebrity) -> Person:
    """A celebrity as JSON shows it."""
    return Person(
        id=celebrity_id(celebrity.name),
        name=celebrity.display_name,
        aliases=list(celebrity.aliases),
        tags=list(celebrity.tags),
        wikidata_id=celebrity.wikidata_id,
    )


def face_from(face: photo_pb2.Face, texts: Texts) -> Face:
    """A face as JSON shows it."""
    description = describe_face(face, texts)
    separator = texts.in_context(CONTEXT, ", ")
    return Face(
        box=Box(x=face.box.x, y=face.box.y, width=face.box.width, height=face.box.height),
        crop=data_url(face.crop),
        traits=[trait for trait in description.split(separator) if trait],
        quality=face.quality,
        matches=[
            Match(
                id=celebrity_id(match.celebrity.name),
                name=match.celebrity.display_name,
                likeness=match.similarity.likeness,
                similarity=match.similarity.cosine,
                same_person_probability=match.similarity.same_person_probability,
            )
            for match in face.matches
        ],
    )


def photo_answer_from(
    response: photo_pb2.AnalyzePhotoResponse,
    faces: tuple[NumberedFace, ...],
    texts: Texts,
    *,
    hidden_faces: int,
    hidden_faces_note: str,
    sensitive: bool,
    speech: tuple[str, str],
) -> PhotoAnswer:
    """An analysed photo as JSON shows it."""
    info = response.processing_info
    return PhotoAnswer(
        caption=response.caption.text,
        image_size=ImageSize(width=response.image_size.width, height=response.image_size.height),
        faces=[face_from(face.face, texts) for face in faces],
        hidden_faces=hidden_faces,
        hidden_faces_note=hidden_faces_note,
        sensitive=sensitive,
        speech=Speech(caption=speech[0], words=speech[1]),
        timings_ms=dict(info.timings_ms),
        model_versions=dict(info.model_versions),
    )


def data_url(jpeg: bytes) -> str:
    """A JPEG as a ``data:`` URL; empty for no bytes."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" if jpeg else ""
