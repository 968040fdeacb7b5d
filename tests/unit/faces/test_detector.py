"""The shipped detector on the sample photo and on pictures composed from it."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from benchmarks.photos import compose, sample_photo
from model_server.bundle import BUNDLES, load_bundle
from model_server.engines.openvino import OpenVinoEngine
from model_server.faces.blazeface import Candidates, make_anchors
from model_server.faces.detector import FaceDetector, suppress

FACE = (225, 122)
"""Centre of the face in the sample photo, pixels."""


@pytest.fixture(scope="module")
def detector():
    return FaceDetector(load_bundle(BUNDLES / "detector", kind="face_detector"), OpenVinoEngine())


@pytest.fixture(scope="module")
def head():
    """The sample's head; the face is about 96 px wide, at (97, 122) of 190 x 210."""
    return sample_photo().crop((130, 0, 320, 210))


def scene(width, height, *heads):
    picture = Image.new("RGB", (width, height), (105, 120, 110))
    for head, place in heads:
        picture.paste(head, place)
    return np.asarray(picture)


def centre(detection):
    box = detection.box
    return box.x + box.width / 2, box.y + box.height / 2


def test_the_sample_photo(detector):
    """One face, where it is; landmarks in the promised order."""
    [face] = detector.detect(np.asarray(sample_photo()))
    assert centre(face) == pytest.approx(FACE, abs=12)
    assert 80 < face.box.width < 120
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert face.score > 0.8


@pytest.mark.parametrize("width_px", [32, 40, 64, 120, 300])
def test_faces_of_all_sizes(detector, head, width_px):
    """From 32 px to a third of a 1280 x 960 photo."""
    scale = width_px / 96
    small = head.resize((round(190 * scale), round(210 * scale)))
    faces = detector.detect(scene(1280, 960, (small, (500, 200))))
    assert len(faces) == 1
    assert centre(faces[0]) == pytest.approx(
        (500 + 97 * scale, 200 + 122 * scale), abs=width_px / 5
    )


def test_a_mirrored_photo_mirrors_the_landmarks(detector):
    """To a hundredth of the face: what a face is compared by hangs on where they lie."""
    photo = sample_photo()
    [face] = detector.detect(np.asarray(photo))
    [mirrored] = detector.detect(np.asarray(ImageOps.mirror(photo)))
    expected = face.landmarks[[1, 0, 2, 4, 3]]
    expected[:, 0] = photo.width - expected[:, 0]
    assert mirrored.landmarks == pytest.approx(expected, abs=face.box.width / 100)


def test_a_cut_photo_moves_the_landmarks_along(detector):
    """Likewise, though the detector's first idea of the face is another one."""
    photo = sample_photo()
    [face] = detector.detect(np.asarray(photo))
    [cut] = detector.detect(np.asarray(photo.crop((110, 20, 390, 300))))
    assert cut.landmarks + np.array([110, 20]) == pytest.approx(
        face.landmarks, abs=face.box.width / 100
    )


def test_a_selfie_that_fills_the_frame(detector):
    """Forehead and chin at the edges."""
    close = sample_photo().crop((165, 45, 285, 185)).resize((1080, 1260))
    [face] = detector.detect(np.asarray(close))
    assert face.box.width > 500


def test_a_face_larger_than_the_picture(detector):
    """Only from forehead to lips and from cheek to cheek, as in a crop made for comparing."""
    close = sample_photo().crop((180, 70, 272, 162))
    [face] = detector.detect(np.asarray(close))
    assert face.box.width > 70


@pytest.mark.parametrize("degrees", [-45, -20, 20, 45])
def test_tilted_heads(detector, degrees):
    """The landmarks turn with the head."""
    [face] = detector.detect(np.asarray(sample_photo().rotate(degrees, expand=False)))
    across = face.landmarks[1] - face.landmarks[0]
    assert np.degrees(np.arctan2(across[1], across[0])) == pytest.approx(-degrees, abs=12)


def test_thirty_faces(detector, head):
    """A group: everyone is found, nobody twice."""
    small = head.resize((114, 126))
    places = [(20 + 208 * (n % 6), 30 + 180 * (n // 6)) for n in range(30)]
    faces = detector.detect(scene(1280, 960, *((small, place) for place in places)))
    found = {
        min(range(30), key=lambda n: np.hypot(*(np.subtract(centre(face), places[n]) - [58, 73])))
        for face in faces
    }
    assert len(faces) == len(found) == 30


def test_largest_first(detector, head):
    """The order is by size."""
    big, small = head, head.resize((95, 105))
    faces = detector.detect(scene(900, 500, (small, (50, 50)), (big, (500, 100))))
    assert [round(face.box.width / 48) for face in faces] == [2, 1]


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((480, 640, 3), np.uint8),
        np.full((480, 640, 3), 255, np.uint8),
        np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8),
    ],
    ids=["black", "white", "noise"],
)
def test_no_face(detector, picture):
    """Nothing is seen where nothing is."""
    assert detector.detect(picture) == []


def test_things_and_animals_are_no_faces(detector):
    """A cat and a cup of coffee."""
    import skimage.data

    assert detector.detect(skimage.data.chelsea()) == []
    assert detector.detect(skimage.data.coffee()) == []


def test_any_size_of_picture(detector):
    """The smallest photo that is let in, and stripes."""
    for height, width in ((16, 16), (16, 1600), (1600, 16)):
        assert detector.detect(np.zeros((height, width, 3), np.uint8)) == []


def test_a_small_and_a_large_face(detector, head):
    """Each is seen at its own scale, neither twice."""
    large, small = head.resize((950, 1050)), head.resize((76, 84))
    faces = detector.detect(scene(1280, 960, (large, (0, 0)), (small, (1100, 700))))
    assert [round(face.box.width / 40) for face in faces] == [12, 1]


def test_a_reduced_copy_saves_time_and_changes_nothing(detector, head):
    """Faces are found in it and measured in the photo."""
    photo = scene(1280, 960, (head.resize((76, 84)), (500, 200)), (head, (800, 500)))
    reduced = np.asarray(Image.fromarray(photo).reduce(2))
    for one, other in zip(detector.detect(photo), detector.detect(photo, reduced), strict=True):
        np.testing.assert_allclose(one.landmarks, other.landmarks, atol=0.5)


def test_a_copy_that_is_too_small_is_not_used(detector, head):
    """What would have to be enlarged again shows too little."""
    photo = scene(1280, 960, (head.resize((76, 84)), (500, 200)))
    reduced = np.asarray(Image.fromarray(photo).reduce(4))
    assert len(detector.detect(photo, reduced)) == 1


def test_suppression():
    """Of two boxes on one face the better stays, also where one is a part of the other."""
    boxes = np.float32([[0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60], [2, 2, 7, 7]])
    assert suppress(boxes, np.float32([0.7, 0.9, 0.5, 0.8]), 0.35) == [1, 2]


def test_the_coarser_view_counts_for_large_faces_only():
    """Two small neighbours that look like one from afar are left to the finer view."""
    boxes = np.float32([[0, 0, 10, 30], [5, 5, 45, 45]])
    seen = Candidates(boxes, np.zeros((2, 2, 2), np.float32), np.float32([0.9, 0.5]))
    large = seen.wider_than(16)
    assert large.boxes_xyxy.tolist() == [[5, 5, 45, 45]]
    assert large.scores.tolist() == [0.5]


def test_anchors():
    """Two a cell of the finer grid, six a cell of the coarser, at the cells' centres."""
    anchors = make_anchors(64, 96)
    assert anchors.shape == (4 * 6 * 2 + 2 * 3 * 6, 2)
    assert anchors[:4].tolist() == [[8, 8], [8, 8], [24, 8], [24, 8]]
    assert anchors[48].tolist() == [16, 16]
    assert anchors[-1].tolist() == [80, 48]


def test_composed_sample(detector):
    """The benchmark's photo has the one face that it is said to have."""
    assert len(detector.detect(np.asarray(compose()))) == 1
