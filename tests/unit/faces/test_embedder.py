"""The shipped embedder on the sample photo."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from benchmarks.photos import sample_photo
from model_server.bundle import BUNDLES, load_bundle
from model_server.engines.openvino import OpenVinoEngine
from model_server.faces.detector import FaceDetector
from model_server.faces.embedder import FaceEmbedder
from model_server.faces.quality import face_quality


@pytest.fixture(scope="module")
def engine():
    return OpenVinoEngine()


@pytest.fixture(scope="module")
def detector(engine):
    return FaceDetector(load_bundle(BUNDLES / "detector", kind=FaceDetector.KIND), engine)


@pytest.fixture(scope="module")
def embedder(engine):
    return FaceEmbedder(load_bundle(BUNDLES / "embedder", kind=FaceEmbedder.KIND), engine)


def embed(detector, embedder, picture):
    image = np.asarray(picture)
    return embedder.embed(image, detector.detect(image)[:1])[0]


@pytest.mark.parametrize(
    ("change", "cosine"),
    [
        (lambda p: p.rotate(20), 0.98),
        (lambda p: p.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 0.99),
        (lambda p: ImageEnhance.Brightness(p).enhance(0.6), 0.99),
        (lambda p: ImageEnhance.Brightness(p).enhance(1.4), 0.85),
        (lambda p: p.resize((256, 256)), 0.97),
        (lambda p: p.crop((120, 20, 330, 230)), 0.99),
    ],
    ids=["rotated", "flipped", "dark", "burnt out", "small", "cropped"],
)
def test_the_same_face_under_another_photo(detector, embedder, change, cosine):
    """Rotation, mirroring, light, size and crop leave the face itself, and hardly change it."""
    sample = sample_photo()
    first, second = embed(detector, embedder, sample), embed(detector, embedder, change(sample))
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    assert first @ second > cosine


def test_no_faces(embedder):
    """Nothing in, nothing out, of the right shape."""
    assert embedder.embed(np.zeros((9, 9, 3), np.uint8), []).shape == (0, embedder.dimension)


def test_quality_falls_with_size_and_blur(detector):
    """A sharp, large, frontal face counts more than a tiny or a blurred one."""

    def quality(picture):
        image = np.asarray(picture)
        return face_quality(image, detector.detect(image)[0])

    sample = sample_photo()
    blurred = sample.resize((100, 100)).resize((512, 512))
    small = sample.resize((190, 190))
    assert quality(sample) > 0.7
    assert quality(blurred) < quality(sample)
    assert quality(small) < quality(sample)
