"""Splits a data set so that no photo, no picture and no person is on both sides."""

from __future__ import annotations

import csv
import random
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from training.dataset import CaptionedPhotos
from training.photos import picture_digest

__all__ = ["group_by_folder", "group_by_picture", "split_dataset", "write_captions"]

Grouping = Callable[[str], str]


def group_by_folder(name: str) -> str:
    """People with a folder each: ``Ada_Lovelace/Ada_Lovelace_01.jpg`` → ``Ada_Lovelace``.

    Photos that lie in no folder, but end in a number, belong together as well:
    ``Ada_Lovelace_01.jpg`` and ``Ada_Lovelace_02.jpg`` are of one person.
    """
    if "/" in name:
        return name.rsplit("/", 1)[0]
    return re.sub(r"[_-]?\d+$", "", Path(name).stem) or name


def group_by_picture(dataset: CaptionedPhotos) -> Grouping:
    """Photos of the same file content belong together."""
    return lambda name: picture_digest(dataset.photos, name)


def split_dataset(
    dataset: CaptionedPhotos,
    shares: Mapping[str, float],
    *,
    seed: int = 0,
    people: bool = False,
) -> dict[str, CaptionedPhotos]:
    """Divides photos at random; the same seed gives the same split.

    Args:
        dataset: All of it.
        shares: Split → share, together 1, such as {"train": 0.9, "dev": 0.1}.
        seed: Of the order.
        people: Whether names tell people, who must not be cut in two.

    Raises:
        ValueError: The shares do not make 1, or a split stays empty.
    """
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(f"the shares make {sum(shares.values()):g} instead of 1")
    groups = _groups(dataset, people=people)
    random.Random(seed).shuffle(groups)  # noqa: S311 (no secret depends on it)
    result: dict[str, CaptionedPhotos] = {}
    total, taken, start = len(dataset.names), 0, 0
    edge = 0.0
    for split, share in shares.items():
        edge += share * total
        chosen: list[str] = []
        while start < len(groups) and taken + len(groups[start]) / 2 <= edge:
            chosen += groups[start]
            taken += len(groups[start])
            start += 1
        if not chosen:
            raise ValueError(f'nothing is left for "{split}": there are {len(groups)} groups')
        result[split] = dataset.subset(sorted(chosen))
    return result


def _groups(dataset: CaptionedPhotos, *, people: bool) -> list[list[str]]:
    """Sets of photos that share a picture or a person, also through others (union-find)."""
    parent = {name: name for name in dataset.names}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    keys = [group_by_picture(dataset)] + ([group_by_folder] if people else [])
    for key in keys:
        first: dict[str, str] = {}
        for name in dataset.names:
            other = first.setdefault(key(name), name)
            parent[root(name)] = root(other)
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in dataset.names:
        groups[root(name)].append(name)
    return sorted(groups.values())


def write_captions(dataset: CaptionedPhotos, file: Path) -> None:
    """Writes a captions.csv, several rows a photo."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["image_name", "caption"])
        for name, captions in dataset.captions.items():
            writer.writerows([name, caption] for caption in captions)
