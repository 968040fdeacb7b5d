"""Tests of portraits and of who is learnt from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from model_server.analysis import BoundingBox, Detection
from model_server.faces.alignment import align_portrait
from training.faces.lfw import EYES, read_lfw
from training.faces.portraits import Portraits, find_faces, jitter
from training.faces.study import split_people
from training.photos import FolderPhotos

LANDMARKS = np.array([[104, 113], [146, 113], [125, 136], [108, 158], [142, 158]], np.float32)


class FakeDetector:
    """Sees the faces it was given."""

    def __init__(self, *landmarks: np.ndarray) -> None:
        self.faces = [Detection(BoundingBox(80, 70, 90, 110), points, 1) for points in landmarks]
        self.calls = 0
        self.shapes: list[tuple[int, ...]] = []

    def detect(self, image: np.ndarray, reduced: np.ndarray) -> list[Detection]:
        self.calls += 1
        self.shapes = [image.shape, reduced.shape]
        return self.faces


class FakeMesh:
    """Measures nothing."""

    def measure(
        self, image: np.ndarray, box_xyxy: np.ndarray, eyes: np.ndarray
    ) -> tuple[np.ndarray, float]:
        return np.zeros((468, 3), np.float32), 1.0


def photos(folder: Path) -> FolderPhotos:
    """One photo of noise."""
    noise = np.random.default_rng(0).integers(0, 255, (250, 250, 3), np.uint8)
    PillowImage.fromarray(noise).save(folder / "a.png")
    return FolderPhotos(folder)


def test_portrait_is_what_the_server_cuts(tmp_path: Path) -> None:
    """Training and serving see the same pixels of a face."""
    store = photos(tmp_path)
    served = align_portrait(
        store.open("a.png"), Detection(BoundingBox(80, 70, 90, 110), LANDMARKS, 0.9)
    )
    assert (Portraits(store, {"a.png": LANDMARKS}).open("a.png") == served).all()


def test_portrait_of_a_large_photo_is_cut_at_full_size(tmp_path: Path) -> None:
    """Landmarks are of the photo's own pixels, also where a captioner would see half as many."""
    noise = np.random.default_rng(0).integers(0, 255, (500, 500, 3), np.uint8)
    PillowImage.fromarray(noise).save(tmp_path / "a.png")
    served = align_portrait(noise, Detection(BoundingBox(160, 140, 180, 220), 2 * LANDMARKS, 0.9))
    store = FolderPhotos(tmp_path)
    assert (Portraits(store, {"a.png": 2 * LANDMARKS}).open("a.png") == served).all()
    detector = FakeDetector(LANDMARKS)
    find_faces(store, ["a.png"], detector=detector, mesh=FakeMesh(), file=tmp_path / "faces.npz")
    assert detector.shapes == [(500, 500, 3), (250, 250, 3)]


def test_views_differ_but_are_repeatable(tmp_path: Path) -> None:
    """A seed gives the same cut again; another seed gives another."""
    portraits = Portraits(photos(tmp_path), {"a.png": LANDMARKS})
    first, again, other = (
        portraits.view("a.png", np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()
    assert (first != portraits.open("a.png")).any()


def test_jitter_stays_near() -> None:
    """Moved landmarks are still the same face: within a quarter of the distance of the eyes."""
    rng = np.random.default_rng(0)
    moved = np.stack([jitter(LANDMARKS, rng) for _ in range(200)])
    assert np.abs(moved - LANDMARKS).max() < 0.4 * 42
    assert np.abs(moved.mean(0) - LANDMARKS).max() < 1


def test_face_nearest_to_the_middle_is_meant(tmp_path: Path) -> None:
    """Of several faces the one at the funnelled eyes is taken, and found again without detector."""
    detector = FakeDetector(LANDMARKS + 90, LANDMARKS, LANDMARKS - 80)
    for _ in range(2):
        found = find_faces(
            photos(tmp_path), ["a.png"], detector=detector, mesh=FakeMesh(),
            file=tmp_path / "faces.npz",
        )  # fmt: skip
        assert (found.by_name()["a.png"] == LANDMARKS).all()
    assert detector.calls == 1


def test_photo_without_its_face_is_left_out(tmp_path: Path) -> None:
    """Somebody at the edge is not who the photo is about."""
    found = find_faces(
        photos(tmp_path), ["a.png"], detector=FakeDetector(LANDMARKS + 90), mesh=FakeMesh(),
        file=tmp_path / "faces.npz",
    )  # fmt: skip
    assert found.names == ()
    assert found.points.shape == (0, 468, 3)


def test_people_are_split_whole() -> None:
    """A share of the people is chosen, the same ones for the same seed, in whatever order."""
    people = [f"person {number % 50}" for number in range(500)]
    chosen = split_people(people, 0.1)
    assert len(chosen) == 5
    assert chosen == split_people(sorted(people), 0.1)
    assert chosen != split_people(people, 0.1, seed=1)


def test_reader_joins_scores_by_name(tmp_path: Path) -> None:
    """Photos without scores get NaN, the split is read, people are told apart."""
    import gzip
    import tarfile

    picture = tmp_path / "x.webp"
    PillowImage.new("RGB", (250, 250)).save(picture)
    with tarfile.open(tmp_path / "images.tar", "w") as tar:
        for name in ("Ann/Ann_0001.webp", "Bob/Bob_0001.webp"):
            tar.add(picture, name)
    (tmp_path / "images.csv").write_text(
        "image_name,person,image_number,images_of_person,split,path_in_tar\n"
        "Ann_0001.webp,Ann,1,1,train,Ann/Ann_0001.webp\n"
        "Bob_0001.webp,Bob,1,1,val,Bob/Bob_0001.webp\n"
    )
    with gzip.open(tmp_path / "attributes.csv.gz", "wt") as stream:
        stream.write("image_name,Smiling,age_estimate,emotion,emotion_prob\n")
        stream.write("Bob_0001.webp,0.75,31,happy,0.9\n")
    found = read_lfw(tmp_path)
    assert found.names == ("Ann/Ann_0001.webp", "Bob/Bob_0001.webp")
    assert found.training.tolist() == [True, False]
    assert np.isnan(found.scores["Smiling"][0])
    assert found.scores["Smiling"][1] == 0.75
    assert found.photos.open("Bob/Bob_0001.webp").shape == (250, 250, 3)
    assert EYES.shape == (2, 2)
