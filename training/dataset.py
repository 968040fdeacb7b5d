"""captions.csv and photos into a data set, with a report of everything odd about it."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from model_server.captioning.vocabulary import tokenize
from training.photos import BrokenPhotoError, Photos, picture_digest

__all__ = [
    "CaptionedPhotos",
    "DataReport",
    "LeakageError",
    "check_leakage",
    "load_dataset",
    "read_captions",
    "references",
]


class LeakageError(ValueError):
    """A photo of one split is in another one, too."""


@dataclass(slots=True)
class DataReport:
    """What was found while reading; lists hold names, in the order of the file.

    Attributes:
        rows: Rows of the csv.
        photos: Photos with at least one usable caption.
        captions: Usable captions.
        missing_photos: Named in the csv, but not there.
        unused_photos: There, but not named in the csv.
        empty_captions: Photos of which a caption has no word.
        duplicate_captions: Photos of which a caption comes twice; both are kept, so that
            scores are those that anyone else gets from the file.
        same_pictures: Photos that are the very same file as an earlier one.
        broken_photos: Photos that cannot be decoded; like missing ones they are left out.
    """

    rows: int = 0
    photos: int = 0
    captions: int = 0
    missing_photos: list[str] = field(default_factory=list)
    unused_photos: list[str] = field(default_factory=list)
    empty_captions: list[str] = field(default_factory=list)
    duplicate_captions: list[str] = field(default_factory=list)
    same_pictures: list[str] = field(default_factory=list)
    broken_photos: list[str] = field(default_factory=list)

    def to_json(self) -> str:
        """For a file beside the run."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class CaptionedPhotos:
    """Photos with their captions.

    Attributes:
        photos: Where the pictures are.
        captions: Name → captions as written, in the order of the file.
        report: What was odd.
    """

    photos: Photos
    captions: Mapping[str, tuple[str, ...]]
    report: DataReport

    @property
    def names(self) -> tuple[str, ...]:
        """The photos that have captions, in the order of the file."""
        return tuple(self.captions)

    @property
    def digest(self) -> str:
        """Sixteen hex digits of names and captions."""
        text = json.dumps(list(self.captions.items()), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def subset(self, names: Iterable[str]) -> CaptionedPhotos:
        """Only some of the photos, in the order of ``names``."""
        return CaptionedPhotos(
            self.photos, {name: self.captions[name] for name in names}, self.report
        )


def read_captions(file: Path) -> list[tuple[str, str]]:
    """Reads the rows of a captions.csv: UTF-8 with or without BOM, any line ends, real CSV quoting.

    Returns:
        (image_name, caption) for each row, as written.

    Raises:
        ValueError: The columns ``image_name`` and ``caption`` are not there, or a row is cut short.
    """
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, strict=True)
        names = {name.strip().lower(): name for name in reader.fieldnames or ()}
        if not {"image_name", "caption"} <= set(names):
            raise ValueError(
                f"{file.name} needs a header line with image_name and caption, "
                f"it has {', '.join(names) or 'nothing'}"
            )
        rows = []
        try:
            for row in reader:
                name, caption = row[names["image_name"]], row[names["caption"]]
                if name is None or caption is None:
                    raise ValueError(f"{file.name}, line {reader.line_num}: a column is missing")
                rows.append((name.strip(), caption.strip()))
        except csv.Error as error:
            raise ValueError(f"{file.name}, line {reader.line_num}: {error}") from error
    return rows


def load_dataset(
    photos: Photos, captions: Path, *, check_pictures: bool = False
) -> CaptionedPhotos:
    """Joins photos and captions; what does not fit is left out and reported.

    Args:
        photos: The pictures.
        captions: The csv, several rows a photo.
        check_pictures: Whether to decode every picture, to find those that are broken and those
            that come twice.
    """
    report = DataReport()
    there = set(photos.names)
    found: dict[str, list[str]] = {}
    seen: set[tuple[str, tuple[str, ...]]] = set()
    named: Counter[str] = Counter()
    for name, caption in read_captions(captions):
        report.rows += 1
        named[name] += 1
        words = tokenize(caption)
        if name not in there:
            if named[name] == 1:
                report.missing_photos.append(name)
        elif not words:
            report.empty_captions.append(name)
        else:
            if (name, words) in seen:
                report.duplicate_captions.append(name)
            seen.add((name, words))
            found.setdefault(name, []).append(caption)
    report.unused_photos = [name for name in photos.names if name not in named]
    if check_pictures:
        report.broken_photos = [name for name in found if _broken(photos, name)]
        for name in report.broken_photos:
            del found[name]
        digests: set[str] = set()
        for name in found:
            digest = picture_digest(photos, name)
            if digest in digests:
                report.same_pictures.append(name)
            digests.add(digest)
    report.photos = len(found)
    report.captions = sum(len(texts) for texts in found.values())
    return CaptionedPhotos(photos, {name: tuple(texts) for name, texts in found.items()}, report)


def _broken(photos: Photos, name: str) -> bool:
    try:
        photos.open(name)
    except BrokenPhotoError:
        return True
    return False


def check_leakage(train: CaptionedPhotos, held_out: CaptionedPhotos) -> None:
    """Makes sure that no photo is in both, neither by name nor by content.

    Raises:
        LeakageError: Says which ones.
    """
    both = set(train.names) & set(held_out.names)
    if not both:
        own = {picture_digest(train.photos, name): name for name in train.names}
        both = {
            f"{name} (= {own[digest]})"
            for name in held_out.names
            if (digest := picture_digest(held_out.photos, name)) in own
        }
    if both:
        listed = ", ".join(sorted(both)[:5])
        raise LeakageError(f"{len(both)} photos are in training and held out: {listed}")


def references(
    dataset: CaptionedPhotos, names: Sequence[str] | None = None
) -> dict[str, list[str]]:
    """Tokenised captions, words joined by spaces, as the metrics take them."""
    return {
        name: [" ".join(tokenize(caption)) for caption in dataset.captions[name]]
        for name in (dataset.names if names is None else names)
    }
