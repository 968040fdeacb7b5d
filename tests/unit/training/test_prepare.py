"""Tests of splitting a data set."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from training.dataset import CaptionedPhotos, check_leakage, load_dataset, read_captions
from training.photos import FolderPhotos
from training.prepare import group_by_folder, split_dataset, write_captions

Make = Callable[..., CaptionedPhotos]


def test_split_is_whole_and_repeatable(make_dataset: Make) -> None:
    """Every photo is in one split, shares are kept, the seed decides."""
    dataset = make_dataset(20)
    shares = {"train": 0.8, "dev": 0.2}
    splits = split_dataset(dataset, shares, seed=1)
    assert [len(split.names) for split in splits.values()] == [16, 4]
    assert sorted(splits["train"].names + splits["dev"].names) == sorted(dataset.names)
    again = split_dataset(dataset, shares, seed=1)
    assert again["dev"].names == splits["dev"].names
    assert split_dataset(dataset, shares, seed=2)["dev"].names != splits["dev"].names


def test_no_picture_is_cut_in_two(tmp_path: Path, make_dataset: Make) -> None:
    """Files with the same content stay on one side, whatever the seed."""
    dataset = make_dataset(10)
    for number in range(1, 5):
        shutil.copy(tmp_path / "photos-0" / "0.png", tmp_path / "photos-0" / f"{number}.png")
    for seed in range(8):
        splits = split_dataset(dataset, {"train": 0.5, "dev": 0.5}, seed=seed)
        check_leakage(splits["train"], splits["dev"])


def test_no_person_is_cut_in_two(tmp_path: Path) -> None:
    """People with a folder each are wholly in one split."""
    lines = ["image_name,caption"]
    for person in range(6):
        (tmp_path / f"Person_{person}").mkdir()
        for number in range(3):
            name = f"Person_{person}/{number}.png"
            (tmp_path / name).write_bytes(f"{name}".encode())
            lines.append(f"{name},a face")
    (tmp_path / "captions.csv").write_text("\n".join(lines))
    dataset = load_dataset(FolderPhotos(tmp_path), tmp_path / "captions.csv")
    for seed in range(8):
        splits = split_dataset(dataset, {"train": 0.7, "dev": 0.3}, seed=seed, people=True)
        people = [{group_by_folder(name) for name in split.names} for split in splits.values()]
        assert not people[0] & people[1]


def test_group_by_folder() -> None:
    """A folder, or a name before its number, tells the person."""
    assert group_by_folder("Ada_Lovelace/Ada_Lovelace_01.jpg") == "Ada_Lovelace"
    assert group_by_folder("Ada_Lovelace_01.jpg") == group_by_folder("Ada_Lovelace_2.jpg")
    assert group_by_folder("0001.jpg") == "0001.jpg"


def test_impossible_shares(make_dataset: Make) -> None:
    """Shares must make one, and every split must get something."""
    dataset = make_dataset(2)
    with pytest.raises(ValueError, match=r"1\.1"):
        split_dataset(dataset, {"train": 0.9, "dev": 0.2})
    with pytest.raises(ValueError, match='"dev"'):
        split_dataset(dataset, {"train": 0.9, "dev": 0.1})


def test_written_captions_are_read_again(tmp_path: Path, make_dataset: Make) -> None:
    """Commas and quotes survive."""
    dataset = make_dataset(1)
    odd = CaptionedPhotos(dataset.photos, {"0.png": ('a "dog", twice', "plain")}, dataset.report)
    write_captions(odd, tmp_path / "out.csv")
    assert read_captions(tmp_path / "out.csv") == [("0.png", 'a "dog", twice'), ("0.png", "plain")]
