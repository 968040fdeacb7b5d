"""From domain to protobuf: nothing is left behind."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from lookalike.v1 import photo_pb2
from model_server.admission import Admission
from model_server.analysis import (
    Analysis,
    Attribute,
    BoundingBox,
    Caption,
    Comparison,
    Detection,
    FaceAnalysis,
    Match,
    Similarity,
)
from model_server.errors import InvalidRequestError
from model_server.gallery.celebrity import Celebrity
from model_server.metrics import Metrics
from model_server.services.photo import PhotoService
from model_server.workers import Workers

SIMILARITY = Similarity(0.5, 61.0, 0.2)
DETECTION = Detection(
    BoundingBox(1.4, 2.6, 30.0, 40.0), np.arange(10, dtype=np.float32).reshape(5, 2) + 1, 0.9
)
ADA = Celebrity("ada", "Ada", ("Countess",), ("field:maths",), "Q7259", 2, True)
FACE = FaceAnalysis(
    DETECTION,
    quality=0.8,
    caption=Caption("oval face", -0.3, 0.1),
    attributes=(Attribute("face_shape", "oval"),),
    matches=(Match(ADA, SIMILARITY),),
    crop=b"jpeg",
)
TIMINGS, VERSIONS = {"decode": 1.0, "total": 2.0}, {"detector": "detector-1"}
ANALYSIS = Analysis(640, 480, Caption("a dog", -0.5, 0.25), (FACE,), TIMINGS, VERSIONS)


class FullAnalyzer:
    def analyze(self, data, options, cancelled):
        return ANALYSIS

    def describe(self, data, cancelled):
        return ANALYSIS

    def match(self, data, options, cancelled):
        return ANALYSIS

    def match_together(self, photos, options, cancelled):
        return replace(ANALYSIS, additional_faces=(FACE,) * (len(photos) - 1))

    def compare(self, first, second, *, include_crops, cancelled):
        return Comparison(SIMILARITY, FACE, FACE, TIMINGS, VERSIONS)


@pytest.fixture
def service():
    with ThreadPoolExecutor(1) as executor:
        yield PhotoService(FullAnalyzer(), Workers(executor, Admission(1), Metrics()))


def unset(message, path=""):
    """Fields of a message that hold nothing, however deep."""
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        where = f"{path}.{field.name}"
        if field.message_type and not field.message_type.GetOptions().map_entry:
            items = value if field.is_repeated else [value]
            if field.is_repeated and not items:
                yield where
            for item in items:
                yield from unset(item, where)
        elif not value:
            yield where


# Celebrity times are at the epoch here, which protobuf cannot tell from unset.
TIMES = ("seconds", "nanos")


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        ("AnalyzePhoto", photo_pb2.AnalyzePhotoRequest()),
        ("DescribePhoto", photo_pb2.DescribePhotoRequest()),
        ("MatchFaces", photo_pb2.MatchFacesRequest(additional_photos=[b"more"])),
        ("CompareFaces", photo_pb2.CompareFacesRequest()),
    ],
)
async def test_every_field_of_every_answer_is_filled(service, method, asked):
    """A field that is added to the contract and forgotten here is found."""
    response = await getattr(service, method)(asked, None)
    assert [path for path in unset(response) if not path.endswith(TIMES)] == []


async def test_values_arrive_where_they_belong(service):
    """Boxes are rounded, landmarks keep their order, a match says who it is."""
    response = await service.AnalyzePhoto(photo_pb2.AnalyzePhotoRequest(), None)
    [face] = response.faces
    assert (face.box.x, face.box.y, face.box.width, face.box.height) == (1, 3, 30, 40)
    assert next((point.x, point.y) for point in face.landmarks) == (1, 2)
    [match] = face.matches
    assert (match.celebrity.name, match.celebrity.display_name) == ("celebrities/ada", "Ada")
    assert match.similarity.likeness == 61
    assert response.nsfw_score == 0.25
    assert response.image_size.width == 640
    assert "queue" in response.processing_info.timings_ms


async def test_tags_that_nobody_can_have_are_a_mistake(service):
    """They are refused before the photo is looked at; the message names the field."""
    options = photo_pb2.MatchOptions(required_tags=["field:actor", "Actor"])
    with pytest.raises(InvalidRequestError, match="match_options.required_tags"):
        await service.AnalyzePhoto(photo_pb2.AnalyzePhotoRequest(match_options=options), None)


async def test_several_photos_of_one_person(service):
    """They are looked at together, a face for each; more than ten are refused."""
    alone = await service.MatchFaces(photo_pb2.MatchFacesRequest(photo=b"one"), None)
    assert not alone.additional_faces
    request = photo_pb2.MatchFacesRequest(photo=b"one", additional_photos=[b"more"] * 9)
    response = await service.MatchFaces(request, None)
    assert len(response.faces) == 1
    assert len(response.additional_faces) == 9
    request.additional_photos.append(b"too many")
    with pytest.raises(InvalidRequestError, match="9 at most"):
        await service.MatchFaces(request, None)


def test_every_field_of_a_celebrity_is_filled():
    """As above, for what CelebrityService answers with."""
    from model_server.services.celebrity import celebrity_to_proto

    message = celebrity_to_proto(ADA)
    assert [path for path in unset(message) if not path.endswith(TIMES)] == []
