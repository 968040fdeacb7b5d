"""Builds the seed gallery: ``python -m training.gallery --data DATA``.

DATA holds the folders ``lfw`` and ``celebrities`` as their READMEs describe them. What is
written: names, tags and embeddings, no pictures.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage
from rich.progress import track

from model_server.analysis import Detection, FloatArray, Image
from model_server.bundle import BUNDLES, load_bundle, write_manifest
from model_server.engines.openvino import OpenVinoEngine
from model_server.faces.detector import FaceDetector
from model_server.faces.embedder import FaceEmbedder
from model_server.gallery.celebrity import slug

__all__ = ["build", "centres", "embed_tar", "fit_calibration"]

MAX_CENTRES = 3
PHOTOS_PER_CENTRE = 6
"""People with many photos are kept as a few centres: small, and no one is a hub for
having a hundred photos."""

_TIGHT_PX = 160
"""Crops this small show the face alone; a margin lets the detector see a head."""

_VERSION = "1"


def embed_tar(
    path: Path, detector: FaceDetector, embedder: FaceEmbedder
) -> Iterator[tuple[str, FloatArray | None]]:
    """Embeds the face of every image in a tar.

    Yields:
        The member's name and the unit vector of the face nearest to the middle, shape
        (D,); None where no face was found.
    """
    with tarfile.open(path) as tar:
        for member in tar:
            stream = tar.extractfile(member)
            if stream is None:
                continue
            with PillowImage.open(io.BytesIO(stream.read())) as picture:
                image = with_margin(np.asarray(picture.convert("RGB")))
            face = central_face(image, detector.detect(image))
            yield member.name, embedder.embed(image, [face])[0] if face else None


def with_margin(image: Image) -> Image:
    """The image, with its edge repeated around it where it is a tight crop."""
    if max(image.shape) >= _TIGHT_PX:
        return image
    margin = round(0.36 * max(image.shape))
    return np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="edge")


def central_face(image: Image, faces: Sequence[Detection]) -> Detection | None:
    """The face that the photo is of: near the middle, and large."""
    middle = np.array([image.shape[1] / 2, image.shape[0] / 2])

    def distance(face: Detection) -> float:
        return float(np.hypot(*(face.landmarks.mean(0) - middle))) - face.box.width / 2

    return min(faces, key=distance, default=None)


def centres(vectors: FloatArray) -> FloatArray:
    """A person's photos as a few unit vectors, by spherical k-means (Dhillon & Modha, 2001).

    Args:
        vectors: Unit rows, shape (n, D).

    Returns:
        Unit rows, shape (k, D), k at most :data:`MAX_CENTRES`.
    """
    count = min(MAX_CENTRES, -(-len(vectors) // PHOTOS_PER_CENTRE))
    # Farthest-first seeding is deterministic.
    means = [_unit(vectors.mean(0))]
    while len(means) < count:
        means.append(vectors[np.argmin((vectors @ np.stack(means).T).max(1))])
    result = np.stack(means)
    for _ in range(10):
        nearest = (vectors @ result.T).argmax(1)
        result = np.stack(
            [
                _unit(vectors[nearest == k].mean(0)) if (nearest == k).any() else result[k]
                for k in range(count)
            ]
        )
    return result


def _unit(vector: FloatArray) -> FloatArray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def fit_calibration(cosines: FloatArray, same: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept of P(same) = 1 / (1 + exp(-(slope · cosine + intercept))).

    Newton's method on the log-likelihood (Platt, 1999; targets smoothed as he does);
    same and different pairs weigh alike.
    """
    positives, negatives = same.sum(), (~same).sum()
    target = np.where(same, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    weight = np.where(same, 0.5 / positives, 0.5 / negatives)
    design = np.stack([cosines.astype(np.float64), np.ones(len(cosines))], axis=1)
    # Centred and scaled, Newton's steps are safe from the start.
    middle, scale = design[:, 0].mean(), design[:, 0].std()
    design[:, 0] = (design[:, 0] - middle) / scale
    theta = np.zeros(2)
    for _ in range(100):
        p = 1 / (1 + np.exp(-design @ theta))
        gradient = design.T @ (weight * (target - p))
        curvature = (design * (weight * p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        theta += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    return float(theta[0] / scale), float(theta[1] - theta[0] * middle / scale)


def calibration_error(
    probability: npt.NDArray[np.float64], same: npt.NDArray[np.bool_], bins: int = 15
) -> float:
    """Expected calibration error: mean |confidence - accuracy| over equal-width bins."""
    which = np.minimum((probability * bins).astype(int), bins - 1)
    total = 0.0
    for number in range(bins):
        inside = which == number
        if inside.any():
            total += inside.mean() * abs(probability[inside].mean() - same[inside].mean())
    return float(total)


def val_pairs(
    vectors: FloatArray, people: Sequence[str], seed: int = 0
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Cosines of all same pairs and as many random different ones."""
    labels = np.unique(people, return_inverse=True)[1]
    first, second = np.triu_indices(len(labels), 1)
    same = labels[first] == labels[second]
    rng = np.random.default_rng(seed)
    different = rng.choice(np.flatnonzero(~same), size=int(same.sum()), replace=False)
    keep = np.concatenate([np.flatnonzero(same), different])
    cosines = (vectors[first[keep]] * vectors[second[keep]]).sum(1)
    return cosines, same[keep]


def build(data: Path, destination: Path, cache: Path | None = None) -> Mapping[str, object]:
    """Writes the bundle; returns its figures."""
    engine = OpenVinoEngine()
    detector = FaceDetector(load_bundle(BUNDLES / "detector", kind=FaceDetector.KIND), engine)
    embedder = FaceEmbedder(load_bundle(BUNDLES / "embedder", kind=FaceEmbedder.KIND), engine)
    embedded = _embed_all(data, detector, embedder, cache)

    rows: dict[str, list[FloatArray]] = {}
    names: dict[str, str] = {}
    val: dict[str, list[FloatArray]] = {}
    splits = {row["person"]: row["split"] for row in _read(data / "lfw" / "images.csv")}
    for name, vector in embedded.items():
        person = name.split("/")[1]
        display_name = person.replace("_", " ")
        celebrity_id = slug(display_name)
        names.setdefault(celebrity_id, display_name)
        rows.setdefault(celebrity_id, []).append(vector)
        if name.startswith("lfw/") and splits[person] == "val":
            val.setdefault(celebrity_id, []).append(vector)

    known = {slug(row["display_name"]): row for row in _read(data / "celebrities" / "people.csv")}
    people, vectors, counts = [], [], []
    for celebrity_id in sorted(rows):
        entry = {"id": celebrity_id, "display_name": names[celebrity_id]}
        if row := known.get(celebrity_id):
            entry["display_name"] = row["display_name"]
            entry |= {
                "tags": [*_tags("field", row["known_for"]), *_tags("country", row["country"])]
            }
        people.append(entry)
        kept = centres(np.stack(rows[celebrity_id]))
        vectors.append(kept)
        counts.append(len(kept))

    people_of_val = [person for person, faces in val.items() for _ in faces]
    val_vectors = np.concatenate([np.stack(faces) for faces in val.values()])
    cosines, same = val_pairs(val_vectors, people_of_val)
    # Fitted on one half of the people, the error is measured on the other.
    slope, intercept = fit_calibration(cosines, same)
    figures = {
        "people": len(people),
        "faces": sum(counts),
        "images": sum(len(faces) for faces in rows.values()),
        "reference_people": len(val),
        "expected_calibration_error": _held_out_error(val_vectors, people_of_val),
    }

    destination.mkdir(parents=True, exist_ok=True)
    text = json.dumps(people, ensure_ascii=False, indent=0, sort_keys=True)
    (destination / "people.json").write_text(text + "\n", encoding="utf-8")
    np.savez_compressed(
        destination / "faces.npz",
        embeddings=np.concatenate(vectors).astype(np.float16),
        counts=np.array(counts, np.int32),
    )
    np.savez_compressed(
        destination / "reference.npz",
        embeddings=np.stack([faces[0] for faces in val.values()]).astype(np.float16),
        ids=np.array(list(val)),
    )
    write_manifest(
        destination,
        {
            "name": "gallery",
            "version": _VERSION,
            "kind": "gallery",
            "license": "names and embeddings of our own making; the photos are not included",
            "embedder_version": embedder.version,
            "detector_version": detector.version,
            "calibration": {"slope": slope, "intercept": intercept},
            "figures": figures,
        },
    )
    return figures


def _held_out_error(vectors: FloatArray, people: Sequence[str]) -> float:
    halves = np.array([hash_half(person) for person in people])
    errors = []
    for half in (False, True):
        fit, test = halves == half, halves != half
        slope, intercept = fit_calibration(*val_pairs(vectors[fit], np.array(people)[fit].tolist()))
        cosines, same = val_pairs(vectors[test], np.array(people)[test].tolist(), seed=1)
        probability = 1 / (1 + np.exp(-(slope * cosines.astype(np.float64) + intercept)))
        errors.append(calibration_error(probability, same))
    return round(float(np.mean(errors)), 4)


def hash_half(person: str) -> bool:
    """One of two halves of the people, the same at every run."""
    return sum(person.encode()) % 2 == 1


def _embed_all(
    data: Path, detector: FaceDetector, embedder: FaceEmbedder, cache: Path | None
) -> dict[str, FloatArray]:
    key = f"{detector.version} {embedder.version}"
    if cache and cache.exists():
        with np.load(cache) as arrays:
            if str(arrays["key"]) == key:
                return dict(zip(arrays["names"].tolist(), arrays["vectors"], strict=True))
    found: dict[str, FloatArray] = {}
    for folder in ("lfw", "celebrities"):
        images = embed_tar(data / folder / "images.tar", detector, embedder)
        for name, vector in track(images, f"embedding {folder}", total=None):
            if vector is not None:
                found[f"{folder}/{name}"] = vector
    if cache:
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, key=key, names=list(found), vectors=np.stack(list(found.values())))
    return found


def _tags(key: str, values: str) -> list[str]:
    parts = (part.strip().lower() for part in values.replace(";", ",").split(","))
    return [f"{key}:{part}" for part in parts if part]


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--destination", type=Path, default=BUNDLES / "gallery")
    parser.add_argument("--cache", type=Path, help="keep the embeddings here between runs")
    options = parser.parse_args()
    figures = build(options.data, options.destination, options.cache)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
