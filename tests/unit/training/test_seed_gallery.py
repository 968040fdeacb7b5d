"""The seed gallery: means of people, calibration, and the bundle that the server reads."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from model_server.bundle import load_bundle
from model_server.gallery.seed import Seed
from training.gallery.card import write_card
from training.gallery.evaluate import evaluate
from training.gallery.features import FaceTable
from training.gallery.seed import enrol, write_seed


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def made_up_table():
    """120 people of LFW with three photos each, a third of them val, and two celebrities."""
    rng = np.random.default_rng(0)
    names, people, splits, vectors = [], [], [], []

    def add(data_set, person, split, count):
        centre = rng.normal(size=16)
        for number in range(count):
            names.append(f"{data_set}/{person}/{number}.webp")
            people.append(person.lower().replace("_", "-"))
            splits.append(split[number % len(split)])
            vectors.append(centre + 0.5 * rng.normal(size=16))

    for number in range(120):
        add("lfw", f"Person_{number}", ["val" if number % 3 == 0 else "train"], 3)
    add("celebrities", "Jane_Doe", ["gallery", "probe"], 6)
    add("celebrities", "John_Roe", ["gallery", "probe"], 6)
    quality = rng.uniform(0.3, 1, len(names)).astype(np.float32)
    columns = map(np.array, (names, people, splits))
    return FaceTable(*columns, unit(np.array(vectors)), quality, 0)


def test_everybody_is_enrolled_by_one_mean():
    """Of length 1, and nearer to the person than any of the photos; a good one weighs more."""
    rng = np.random.default_rng(0)
    person = unit(rng.normal(size=32))
    photos = unit(person + 0.1 * rng.normal(size=(12, 32)))
    columns = (np.array([f"lfw/A/{n}.webp" for n in range(12)]), np.array(["a"] * 12))
    splits = np.array(["val"] * 12)
    even = FaceTable(*columns, splits, photos, np.full(12, 0.5, np.float32), 0)
    enrolled = enrol(even, np.arange(12))
    assert enrolled.ids == ["a"]
    assert enrolled.vectors.shape == (1, 32)
    assert np.linalg.norm(enrolled.vectors[0]) == pytest.approx(1)
    assert enrolled.vectors[0] @ person > (photos @ person).max()
    quality = np.full(12, 0.1, np.float32)
    quality[3] = 1.0
    uneven = enrol(replace(even, quality=quality), np.arange(12))
    assert uneven.vectors[0] @ photos[3] > enrolled.vectors[0] @ photos[3]


def test_a_seed_is_written_that_the_server_reads(tmp_path):
    """Names, tags, reference and scores come back; probes are not enrolled."""
    table = made_up_table()
    (tmp_path / "celebrities").mkdir()
    with (tmp_path / "celebrities" / "people.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["person", "display_name", "known_for", "country", "images"])
        rows.writerow(["Jane_Doe", "Jané Doe", "singer and actor", "India", "6"])
    measured = evaluate(table)
    figures = measured.figures
    assert figures["celebrities_probes"] == 6
    assert figures["celebrities_rank_1"] > 0.8
    assert figures["val_faces"] == 120
    assert 30 < figures["likeness_of_strangers_median"] < 70
    destination = tmp_path / "bundle"
    destination.mkdir()
    about = {"embedder_version": "embedder-test", "detector_version": "detector-test"}
    write_card(destination / "MODEL_CARD.md", measured, about)
    write_seed(tmp_path, destination, table, {**about, "figures": figures})
    seed = Seed.load(load_bundle(destination, kind=Seed.KIND))
    people = {celebrity.id: (celebrity, faces) for celebrity, faces in seed.people()}
    assert len(people) == 122
    jane, faces = people["jane-doe"]
    assert jane.display_name == "Jané Doe"
    assert jane.tags == ("field:singer", "field:actor", "country:india")
    assert len(faces) == 1
    assert seed.reference.shape == (40, 16)
    assert len(seed.genuine) == len(seed.probes) == len(seed.probe_ids) == 120
    assert f"{figures['celebrities_rank_1']:g}" in (destination / "MODEL_CARD.md").read_text()
