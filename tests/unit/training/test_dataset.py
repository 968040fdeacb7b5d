"""Tests of reading captions.csv and of the checks on a data set."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from training.dataset import (
    CaptionedPhotos,
    LeakageError,
    check_leakage,
    load_dataset,
    read_captions,
    references,
)
from training.photos import FolderPhotos


def write(folder: Path, data: bytes) -> Path:
    file = folder / "captions.csv"
    file.write_bytes(data)
    return file


def test_commas_quotes_bom_and_crlf(tmp_path: Path) -> None:
    """Commas, doubled quotes, line breaks inside quotes, a BOM and CRLF are read as meant."""
    file = write(
        tmp_path,
        b"\xef\xbb\xbfimage_name,caption\r\n"
        b'a.jpg,"A dog, a cat, and ""Rex"""\r\n'
        b'a.jpg,"two\r\nlines"\r\n'
        b"b.jpg,caf\xc3\xa9\r\n",
    )
    assert read_captions(file) == [
        ("a.jpg", 'A dog, a cat, and "Rex"'),
        ("a.jpg", "two\r\nlines"),
        ("b.jpg", "café"),
    ]


def test_columns_in_any_order_and_more_of_them(tmp_path: Path) -> None:
    """Only the names of the columns count."""
    file = write(tmp_path, b"id,Caption, image_name \n1,a dog,a.jpg\n")
    assert read_captions(file) == [("a.jpg", "a dog")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "nothing"),
        (b"image,text\na.jpg,dog\n", "image, text"),
        (b"image_name,caption\na.jpg\n", "line 2"),
        (b'image_name,caption\na.jpg,"never closed\n', "line"),
    ],
)
def test_a_file_that_is_no_table_of_captions(tmp_path: Path, data: bytes, reason: str) -> None:
    """The error says what is wrong, and where."""
    with pytest.raises(ValueError, match=reason):
        read_captions(write(tmp_path, data))


def test_odd_rows_are_reported(
    tmp_path: Path, make_dataset: Callable[..., CaptionedPhotos]
) -> None:
    """Missing, unused, empty, double, broken: each is named, and only usable captions are kept."""
    make_dataset(4)
    folder = tmp_path / "photos-0"
    shutil.copy(folder / "0.png", folder / "1.png")
    (folder / "3.png").write_bytes((folder / "3.png").read_bytes()[:60])
    file = write(
        tmp_path,
        b'image_name,caption\n0.png,a dog\n0.png,A dog.\n0.png," . "\n1.png,a cat\n9.png,gone\n'
        b"3.png,cut off\n",
    )
    dataset = load_dataset(FolderPhotos(folder), file, check_pictures=True)
    report = dataset.report
    assert dict(dataset.captions) == {"0.png": ("a dog", "A dog."), "1.png": ("a cat",)}
    assert (report.rows, report.photos, report.captions) == (6, 2, 3)
    assert report.missing_photos == ["9.png"]
    assert report.unused_photos == ["2.png"]
    assert report.empty_captions == ["0.png"]
    assert report.duplicate_captions == ["0.png"]
    assert report.same_pictures == ["1.png"]
    assert report.broken_photos == ["3.png"]
    assert '"missing_photos"' in report.to_json()


def test_leakage_by_name_and_by_content(
    tmp_path: Path, make_dataset: Callable[..., CaptionedPhotos]
) -> None:
    """The same name, or the same file under another name, is never on both sides."""
    train, held_out = make_dataset(3), make_dataset(3, first=10)
    check_leakage(train, held_out)
    with pytest.raises(LeakageError, match=r"0\.png"):
        check_leakage(train, train.subset(["0.png"]))
    folder = tmp_path / "photos-10"
    (folder / "12.png").write_bytes(train.photos.read("1.png"))
    held_out = load_dataset(FolderPhotos(folder), folder / "captions.csv")
    with pytest.raises(LeakageError, match=r"12\.png \(= 1\.png\)"):
        check_leakage(train, held_out)


def test_digest_and_references(make_dataset: Callable[..., CaptionedPhotos]) -> None:
    """A digest tells splits apart; references are tokenised."""
    dataset = make_dataset(3)
    assert dataset.digest != dataset.subset(["0.png"]).digest
    assert references(dataset, ["1.png"]) == {"1.png": ["a green wall", "the wall is green today"]}
