"""The pipeline over fake networks."""

import io
import threading
from concurrent.futures import CancelledError

import numpy as np
import pytest
from PIL import Image

from model_server.analysis import BoundingBox, Caption, Detection, Match, Similarity
from model_server.analyzer import AnalyzeOptions, Analyzer
from model_server.errors import NoFaceError, PoorFaceError, SeveralFacesError, WrongPersonError
from model_server.gallery.celebrity import Celebrity
from model_server.protocols import Models

STAGES = {"decode", "caption", "detect", "embed", "search", "describe", "total"}


def photo(width=320, height=240, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG")
    return buffer.getvalue()


def face_at(x, y, side):
    points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    return Detection(BoundingBox(x, y, side, side), points * side + np.float32([x, y]), 0.9)


class FakeDetector:
    version = "detector-fake"

    def __init__(self, *faces):
        self.faces = list(faces)

    def detect(self, image, reduced):
        return self.faces


class FakeEmbedder:
    version = "embedder-fake"

    def embed(self, image, detections):
        vectors = np.zeros((len(detections), 4), np.float32)
        for row, detection in enumerate(detections):
            vectors[row, row % 4] = detection.score
        return vectors


class FakeCaptioner:
    def __init__(self, text):
        self.version = f"{text}-fake"
        self.text = text
        self.sizes = []
        self.error = None
        self.cancelled = None

    def caption(self, images, cancelled):
        if self.error:
            raise self.error
        self.cancelled = cancelled
        self.sizes.append([image.shape for image in images])
        return [Caption(f"{self.text}", -0.5, 0.1) for _ in images]


class FakeGallery:
    def __init__(self):
        self.asked = []
        self.same_person = lambda first, second: 0.2

    def match(self, embeddings, *, max_matches, required_tags=()):
        self.embeddings = embeddings
        self.asked.append((len(embeddings), max_matches, tuple(required_tags)))
        match = Match(Celebrity("someone", "Someone"), Similarity(0.5, 60.0, 0.1))
        return [(match,) * max_matches for _ in embeddings]

    def compare(self, first, second):
        return Similarity(float(first @ second), 50.0, self.same_person(first, second))


@pytest.fixture
def models():
    return Models(
        FakeDetector(face_at(100, 40, 120), face_at(10, 10, 60)),
        FakeEmbedder(),
        FakeCaptioner("a dog runs"),
        FakeCaptioner("oval face, brown hair"),
    )


@pytest.fixture
def gallery():
    return FakeGallery()


@pytest.fixture
def analyzer(models, gallery):
    analyzer = Analyzer(models, gallery)
    yield analyzer
    analyzer.close()


def test_everything_about_a_photo(analyzer, gallery):
    """Caption, faces with descriptions taken apart, matches, timings, versions."""
    analysis = analyzer.analyze(photo(), AnalyzeOptions(max_matches=3, required_tags=("a:b",)))
    assert (analysis.width, analysis.height) == (320, 240)
    assert analysis.caption.text == "a dog runs"
    assert analysis.caption.nsfw_score == 0.1
    assert [face.caption.text for face in analysis.faces] == ["oval face, brown hair"] * 2
    assert {(item.name, item.value) for item in analysis.faces[0].attributes} == {
        ("face_shape", "oval"),
        ("hair_color", "brown"),
    }
    assert len(analysis.faces[0].matches) == 3
    assert gallery.asked == [(2, 3, ("a:b",))]
    assert set(analysis.timings_ms) == STAGES
    assert set(analysis.model_versions) == {"detector", "embedder", "photos", "faces"}


def test_no_face_is_a_result(analyzer, models):
    """A photo without faces has its caption and an empty list."""
    models.detector.faces = []
    analysis = analyzer.analyze(photo(), AnalyzeOptions())
    assert analysis.faces == ()
    assert analysis.caption.text == "a dog runs"


def test_the_largest_faces_stay(analyzer):
    """Of more faces than asked for, the first of the detector's order remain."""
    analysis = analyzer.analyze(photo(), AnalyzeOptions(max_faces=1))
    assert [face.detection.box.width for face in analysis.faces] == [120]


def test_boxes_refer_to_the_full_size(analyzer, models):
    """A photo that was decoded at reduced scale has its boxes at full size, clipped."""
    models.detector.faces = [face_at(100, 40, 120), face_at(-20, -10, 60)]
    analysis = analyzer.analyze(photo(3200, 2400), AnalyzeOptions())
    first, second = (face.detection for face in analysis.faces)
    assert (first.box.x, first.box.y, first.box.width) == (200, 80, 240)
    assert first.landmarks[0] == pytest.approx([(100 + 36) * 2, (40 + 48) * 2])
    assert (second.box.x, second.box.y) == (0, 0)
    assert (second.box.width, second.box.height) == (80, 100)


def test_crops_only_where_asked_for(analyzer):
    """Crops are JPEGs of the head, no larger than promised."""
    assert not analyzer.analyze(photo(), AnalyzeOptions()).faces[0].crop
    crop = analyzer.analyze(photo(), AnalyzeOptions(include_crops=True)).faces[0].crop
    with Image.open(io.BytesIO(crop)) as picture:
        assert picture.format == "JPEG"
        assert 120 <= max(picture.size) <= 512


def test_describe_and_match_do_only_their_part(analyzer, models, gallery):
    """A caption asks for no faces, a match writes nothing."""
    assert analyzer.describe(photo()).faces == ()
    assert gallery.asked == []
    matched = analyzer.match(photo(), AnalyzeOptions())
    assert matched.caption is None
    assert matched.faces[0].caption is None
    assert matched.faces[0].matches
    assert models.faces.sizes == []


def test_only_the_models_that_were_used_are_named(analyzer):
    """A caption needs no detector, a match needs no captioner."""
    faces_only = {"detector": "detector-fake", "embedder": "embedder-fake"}
    assert analyzer.describe(photo()).model_versions == {"photos": "a dog runs-fake"}
    assert analyzer.match(photo(), AnalyzeOptions()).model_versions == faces_only
    together = analyzer.match_together([photo()], AnalyzeOptions())
    assert together.model_versions == faces_only
    assert analyzer.compare(photo(), photo(seed=1)).model_versions == faces_only


def test_an_error_in_the_caption_is_not_lost(analyzer, models):
    """What fails beside the main thread fails the call."""
    models.photos.error = ZeroDivisionError("caption")
    with pytest.raises(ZeroDivisionError):
        analyzer.analyze(photo(), AnalyzeOptions())


def test_a_caller_who_left_stops_the_work(analyzer, gallery):
    """Between two stages the work is given up."""
    left = threading.Event()
    embed = analyzer._models.embedder.embed

    def leave_then_embed(image, detections):
        left.set()
        return embed(image, detections)

    analyzer._models.embedder.embed = leave_then_embed
    with pytest.raises(CancelledError):
        analyzer.analyze(photo(), AnalyzeOptions(), left.is_set)
    assert gallery.asked == []


def test_captions_learn_that_the_caller_left(analyzer, models):
    """What is being written is given up like any other stage."""
    left = threading.Event()
    analyzer.analyze(photo(), AnalyzeOptions(), left.is_set)
    left.set()
    assert models.photos.cancelled()
    assert models.faces.cancelled()


def test_compare(analyzer):
    """The largest faces of both photos are compared."""
    comparison = analyzer.compare(photo(), photo(seed=1), include_crops=True)
    assert comparison.similarity.cosine == pytest.approx(0.81)
    assert comparison.first.crop
    assert comparison.second.crop


def test_compare_says_which_photo_has_no_face(analyzer, models):
    """The message and the metadata name the photo."""
    found = iter([[face_at(10, 10, 99)], []])
    models.detector.detect = lambda image, reduced: next(found)
    with pytest.raises(NoFaceError, match="second") as caught:
        analyzer.compare(photo(), photo())
    assert caught.value.metadata == {"photo": "second"}


def test_one_person_from_several_photos(analyzer, models, gallery):
    """Of each photo the person's face, wherever it stands; one search by the mean of all."""
    person, somebody = np.eye(4, dtype=np.float32)[:2]
    shown = iter([[person, somebody], [somebody, person], [person]])
    sides = iter([(120, 60), (99, 80), (70,)])

    def detect(image, reduced):
        return [face_at(10, 10, side) for side in next(sides)]

    models.detector.detect = detect
    models.embedder.embed = lambda image, detections: np.stack(next(shown))
    gallery.same_person = lambda first, second: float(first @ second)
    analysis = analyzer.match_together([photo(), photo(seed=1), photo(seed=2)], AnalyzeOptions())
    [face] = analysis.faces
    assert face.detection.box.width == 120
    assert len(face.matches) == 5
    assert [other.detection.box.width for other in analysis.additional_faces] == [80, 70]
    assert gallery.embeddings == pytest.approx(person[None])
    assert set(analysis.timings_ms) == {"decode", "detect", "embed", "search", "total"}


def test_several_photos_must_all_show_the_person(analyzer, models, gallery):
    """A photo of somebody else or of nobody is refused by its number."""
    one, other = np.eye(4, dtype=np.float32)[:2]
    gallery.same_person = lambda first, second: float(first @ second)
    models.detector.faces = [face_at(10, 10, 120)]
    shown = iter([one, one, other])
    models.embedder.embed = lambda image, detections: next(shown)[None]
    with pytest.raises(WrongPersonError, match="photo 3") as caught:
        analyzer.match_together([photo()] * 3, AnalyzeOptions())
    assert caught.value.metadata["photo"] == "2"
    assert gallery.asked == []
    found = iter([[face_at(10, 10, 120)], []])
    models.embedder.embed = lambda image, detections: np.stack([one])[: len(detections)]
    models.detector.detect = lambda image, reduced: next(found)
    with pytest.raises(NoFaceError, match="photo 2"):
        analyzer.match_together([photo()] * 2, AnalyzeOptions())


def test_enrolment_takes_exactly_one_good_face(analyzer, models):
    """No face, two faces, a poor face: each refused with its own reason."""
    with pytest.raises(SeveralFacesError):
        analyzer.enrol(photo())
    models.detector.faces = []
    with pytest.raises(NoFaceError):
        analyzer.enrol(photo())
    models.detector.faces = [face_at(100, 100, 12)]
    with pytest.raises(PoorFaceError):
        analyzer.enrol(photo())
    models.detector.faces = [face_at(60, 20, 180)]
    enrolment = analyzer.enrol(photo())
    assert enrolment.embedding.shape == (4,)
    assert enrolment.quality >= 0.2
    assert Image.open(io.BytesIO(enrolment.picture)).format == "JPEG"


def test_an_enrolment_that_nobody_waits_for_is_given_up(analyzer, models):
    """The face is not embedded any more."""
    left = threading.Event()

    def detect(image, reduced):
        left.set()
        return [face_at(60, 20, 180)]

    models.detector.detect = detect
    models.embedder.embed = None
    with pytest.raises(CancelledError):
        analyzer.enrol(photo(), left.is_set)
