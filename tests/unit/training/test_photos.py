"""Tests of reading photos from folders and tars."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image as PillowImage

from model_server.imaging import decode
from training.photos import BrokenPhotoError, open_photos


def test_folder_and_tar_give_the_same(tmp_path: Path) -> None:
    """The same names and pixels from a folder with subfolders and from its tar."""
    folder = tmp_path / "photos"
    (folder / "ada").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 255, (18, 16, 3), np.uint8)
    PillowImage.fromarray(pixels).save(folder / "ada" / "1.png")
    PillowImage.fromarray(pixels[:, :, 0]).save(folder / "grey.PNG")
    (folder / "notes.txt").write_text("no photo")
    with tarfile.open(tmp_path / "photos.tar", "w") as tar:
        tar.add(folder, ".")
    for photos in (open_photos(folder), open_photos(tmp_path / "photos.tar")):
        assert list(photos.names) == ["ada/1.png", "grey.PNG"]
        np.testing.assert_array_equal(photos.open("ada/1.png"), pixels)
        assert photos.open("grey.PNG").shape == (18, 16, 3)
        with pytest.raises(KeyError):
            photos.read("../secret.png")


def test_photos_are_turned_upright(tmp_path: Path) -> None:
    """The orientation in the EXIF data is applied."""
    picture = PillowImage.new("RGB", (32, 16))
    exif = picture.getexif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    picture.save(stream, "JPEG", exif=exif)
    (tmp_path / "turned.jpg").write_bytes(stream.getvalue())
    assert open_photos(tmp_path).open("turned.jpg").shape == (32, 16, 3)


def test_pixels_are_those_that_the_captioner_is_served(tmp_path: Path) -> None:
    """Transparency over white, the high byte of 16 bits, drafts, halves, HEIC: as the server."""
    pixels = np.random.default_rng(0).integers(0, 255, (450, 500, 4), np.uint8)
    PillowImage.fromarray(pixels).save(tmp_path / "large.png")
    PillowImage.fromarray(pixels[:64, :64]).save(tmp_path / "small.webp", lossless=True)
    PillowImage.fromarray(pixels[:64, :64, 0].astype(np.uint16) << 8).save(tmp_path / "grey.png")
    PillowImage.effect_noise((3600, 2400), 50).convert("RGB").save(tmp_path / "huge.jpg")
    pillow_heif.from_pillow(PillowImage.fromarray(pixels[..., :3])).save(tmp_path / "phone.heic")
    photos = open_photos(tmp_path)
    assert list(photos.names) == ["grey.png", "huge.jpg", "large.png", "phone.heic", "small.webp"]
    for name in photos.names:
        served = decode((tmp_path / name).read_bytes()).reduced
        np.testing.assert_array_equal(photos.open(name), served)
    assert photos.open("large.png").shape == (225, 250, 3)
    assert photos.open("grey.png").max() > 200


def test_formats_that_the_server_does_not_read_are_no_photos(tmp_path: Path) -> None:
    """A bitmap is left out like any other file."""
    PillowImage.new("RGB", (32, 32)).save(tmp_path / "old.bmp")
    assert not open_photos(tmp_path).names


def test_nothing_there(tmp_path: Path) -> None:
    """A path that is neither is named in the error."""
    with pytest.raises(FileNotFoundError, match="nowhere"):
        open_photos(tmp_path / "nowhere")


def test_a_file_that_is_no_tar(tmp_path: Path) -> None:
    """A compressed tar, in which photos cannot be found by their place, is refused by name."""
    (tmp_path / "photos.txt").write_text("no tar")
    with tarfile.open(tmp_path / "photos.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "photos.txt")
    for name in ("photos.txt", "photos.tar.gz"):
        with pytest.raises(ValueError, match=rf"{name} is no uncompressed tar"):
            open_photos(tmp_path / name)


def test_broken_photos_are_named(tmp_path: Path) -> None:
    """The error says which photo of thousands it is."""
    (tmp_path / "text.jpg").write_text("no photo")
    PillowImage.new("RGB", (64, 64)).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:60])
    for name in ("text.jpg", "cut.png"):
        with pytest.raises(BrokenPhotoError, match=name):
            open_photos(tmp_path).open(name)
