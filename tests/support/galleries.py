"""Galleries of made-up people, whose faces are vectors near a centre of their own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from model_server.bundle import write_manifest
from model_server.gallery.celebrity import Celebrity
from model_server.gallery.gallery import Gallery
from model_server.gallery.hubness import Hubness
from model_server.gallery.records import NewFace

__all__ = ["DIMENSION", "EMBEDDER", "face_of", "open_gallery", "person", "write_seed"]

DIMENSION = 32
EMBEDDER = "embedder-test"
SLOPE, INTERCEPT = 20.0, -10.0
"""P(same) is a half at cosine 0.5: strangers here stay well below, own photos well above."""


def face_of(name: str, photo: int = 0, *, noise: float = 0.3, **options: object) -> NewFace:
    """A face: the same for the same name and photo, alike for other photos of the name."""
    centre = np.random.default_rng(list(name.encode())).normal(size=DIMENSION)
    jitter = np.random.default_rng([*name.encode(), 256, photo]).normal(size=DIMENSION)
    vector = centre / np.linalg.norm(centre) + noise * jitter / np.linalg.norm(jitter)
    vector = (vector / np.linalg.norm(vector)).astype(np.float32)
    return NewFace(vector, **{"photo_digest": f"{name}-{photo}", **options})


def person(name: str, *tags: str, **options: object) -> Celebrity:
    """A celebrity called ``name``."""
    return Celebrity(name.lower().replace(" ", "-"), name, tags=tags, **options)


def write_seed(
    folder: Path,
    names: tuple[str, ...] = ("Seed One", "Seed Two"),
    *,
    version: str = "1",
    embedder_version: str = EMBEDDER,
    photo: int = 0,
) -> Path:
    """A seed bundle of made-up people; the reference are 40 strangers."""
    folder.mkdir(parents=True, exist_ok=True)
    people = [
        {"id": person(name).id, "display_name": name, "tags": ["field:seed"]} for name in names
    ]
    (folder / "people.json").write_text(json.dumps(people))
    vectors = [face_of(name, photo).embedding for name in names] or [np.zeros(DIMENSION)]
    np.savez(
        folder / "faces.npz",
        embeddings=np.stack(vectors)[: len(names)].astype(np.float16),
        counts=np.ones(len(names), np.int32),
    )
    strangers = [f"stranger-{number}" for number in range(40)]
    general = np.stack([face_of(f"general-{number}").embedding for number in range(20)])
    np.savez(
        folder / "reference.npz",
        embeddings=np.stack([face_of(name).embedding for name in strangers]).astype(np.float16),
        ids=np.array(strangers),
        general=general,
        genuine=np.linspace(0.75, 0.95, 40, dtype=np.float32),
        probes=np.stack([face_of(name, 1).embedding for name in strangers]).astype(np.float16),
        probe_ids=np.array(strangers),
    )
    write_manifest(
        folder,
        {
            "name": "gallery",
            "version": version,
            "kind": "gallery",
            "license": "made up",
            "embedder_version": embedder_version,
            "calibration": {"slope": SLOPE, "intercept": INTERCEPT},
            "hubness": Hubness.fit(general, neighbours=5, weight=0.5).to_manifest(),
        },
    )
    return folder


def open_gallery(url: str, seed: Path, **options: object) -> Gallery:
    """The gallery at ``url``, filled from ``seed`` where it is new."""
    return Gallery.open(url, seed, **{"embedder_version": EMBEDDER, **options})
