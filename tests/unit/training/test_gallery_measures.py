"""What the seed gallery's card says: calibration, open set, apparent groups, skin tones."""

import gzip
import io
import tarfile

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from model_server.bundle import Bundle
from model_server.gallery.index import Hit
from training.gallery.card import write_card
from training.gallery.evaluate import Evaluation, _each_person_once
from training.gallery.features import FaceTable, KeptRows, fingerprint
from training.gallery.groups import apparent_groups, group_tables, read_ages
from training.gallery.held_out import ask, fold_of, open_set
from training.gallery.probes import Probes, index_of, make_probes
from training.gallery.reliability import calibration_error, chance_error, reliability
from training.gallery.seed import enrol, general_hubness, pair_cosines
from training.gallery.skin import cheek_pixels, lab, tone, tone_class, tones
from training.gallery.stability import _Agreement, _likely
from training.gallery.together import together


def table_of(noises, *, photos=4, dimension=16, crowded=()):
    """Val people of LFW with so much noise between their photos, and 40 training people.

    The people in ``crowded`` have faces that are hardly told apart.
    """
    rng = np.random.default_rng(0)
    names, people, vectors = [], [], []
    common = rng.normal(size=dimension)
    for number, noise in enumerate([*noises, *[0.3] * 40]):
        centre = rng.normal(size=dimension)
        if number in crowded:
            centre = common + centre
        for photo in range(photos):
            names.append(f"lfw/P_{number:03}/P_{number:03}_{photo}.webp")
            people.append(f"p-{number:03}")
            vectors.append(centre + noise * rng.normal(size=dimension))
    rows = np.array(vectors)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    splits = np.where(np.arange(len(names)) < photos * len(noises), "val", "train")
    quality = np.ones(len(names), np.float32)
    return FaceTable(np.array(names), np.array(people), splits, rows.astype(np.float32), quality, 0)


def probes_of(table):
    rows = table.rows("lfw", "val")
    enrolled, hubness = enrol(table, table.rows("lfw")), general_hubness(table)
    return make_probes(table, rows, index_of(enrolled, hubness), enrolled.ids, hubness)


def test_the_calibration_error_is_zero_where_it_should_be():
    """Honest probabilities have none; boasting has as much as it boasts."""
    same = np.array([True] * 10 + [False] * 10)
    even = np.ones(20)
    assert calibration_error(same.astype(float), same, even) == 0
    assert calibration_error(np.full(20, 0.5), same, even) == pytest.approx(0)
    assert calibration_error(np.full(20, 0.9), same, even) == pytest.approx(0.4)
    [one] = reliability(np.full(20, 0.9), same, np.where(same, 3.0, 1.0))
    assert (one.count, one.said, one.true) == (20, pytest.approx(0.9), pytest.approx(0.75))


def test_the_much_photographed_do_not_decide_what_is_steady():
    """A person's photos count together as much as another's single one."""
    agreement = _Agreement()
    agreement.add("one", ["a", "b", "c"], ["a", "x", "y"])
    for _ in range(9):
        agreement.add("other", ["a", "b", "c"], ["c", "x", "y"])
    assert agreement.by_person().tolist() == [0.5, 1.0]
    assert agreement.by_photo().tolist() == [0.1, 1.0]
    agreement.add("third", ["a", "b", "c"], ["x", "y", "z"])
    assert agreement.by_person() == pytest.approx([1 / 3, 2 / 3])


def test_other_people_might_have_been_steadier():
    """The interval holds the mean, is nothing where all are alike, and narrows with more people."""

    def width(people, keep):
        agreement = _Agreement()
        for number in range(people):
            kept = number % 2 < keep
            agreement.add(str(number), ["a", "b", "c"], ["a" if kept else "x", "b", "y"])
        (low, least), (high, most) = _likely([agreement, _Agreement()]).tolist()
        assert low <= agreement.by_photo()[0] / 2 <= high
        # Of nobody's other photos nothing is the same; of everybody's one is shared.
        assert (least, most) == (0.5, 0.5)
        return high - low

    assert width(20, keep=2) == 0
    assert width(200, keep=1) < width(20, keep=1) / 2


def test_few_answers_show_an_error_by_chance():
    """Exact probabilities show an error, smaller the more answers there are; sure ones none."""
    few, many = (np.random.default_rng(0).random(count) for count in (50, 5000))
    assert chance_error(few, np.ones(50)) > 0.08
    assert 0 < chance_error(many, np.ones(5000)) < 0.03
    assert chance_error(np.array([0.0, 1.0]), np.ones(2)) == 0


def test_own_photos_are_no_strangers():
    """Others never are the person; own scores are of the other photos, not of the very one."""
    table = table_of([0.3] * 30, photos=7)
    probes = probes_of(table)
    assert all(len(hits) == 5 for hits in probes.others)
    # Six of the seven photos of a person ask, lest the much photographed decide.
    assert probes.mated.sum() == 30 * 6
    rest = table.vectors[1:7].sum(0)
    rest /= np.linalg.norm(rest)
    bias = float(general_hubness(table).bias(rest[None])[0])
    assert probes.own[0] == pytest.approx(float(table.vectors[0] @ rest) - bias, abs=1e-5)
    assert np.nanmedian(probes.own) > np.nanmedian(probes.own_of_one)
    hits, own = probes.shown(0, enrolled=True)
    assert own.tolist() == [True, False, False, False, False]
    assert not probes.shown(0, enrolled=False)[1].any()
    assert len(hits) == 5


def test_answers_are_by_curves_fitted_on_other_people():
    """A person's own score does not change what the person is told; calibration is measured."""
    table = table_of([0.35] * 60)
    probes = probes_of(table)
    answers = ask(table, probes)
    assert answers.matches().error < 0.15
    assert np.nanmean(answers.enrolled[:, 0]) > 0.8
    assert answers.stranger[:, 0].mean() < 0.3
    someone = probes.people == probes.people[0]
    assert len(set(fold_of(probes.people[someone]))) == 1
    changed = probes.own.copy()
    changed[someone] = -1
    again = ask(table, type(probes)(probes.rows, probes.people, probes.others, changed, changed))
    np.testing.assert_allclose(again.stranger[someone], answers.stranger[someone])
    elsewhere = fold_of(probes.people) != fold_of(probes.people)[0]
    assert not np.allclose(again.stranger[elsewhere], answers.stranger[elsewhere])


def test_letting_in_more_strangers_misses_fewer_people():
    """FNIR falls as FPIR rises; the threshold lets in as many strangers as it says."""
    table = table_of([0.6] * 60)
    probes = probes_of(table)
    curve = open_set(probes)
    missed = [line["fnir"] for line in curve]
    assert missed == sorted(missed, reverse=True)
    assert missed[0] > missed[-1] > 0
    assert all(line["fnir_one_photo"] >= line["fnir"] for line in curve)
    tenth = next(line for line in curve if line["fpir"] == 0.1)
    assert (probes.best_other >= tenth["threshold"]).mean() == pytest.approx(0.1, abs=0.01)


def test_whoever_is_found_behind_a_stranger_is_missed():
    """Above the threshold, but not the best match: the wrong person would be named."""
    count = 10
    others = [[Hit(0, score, score)] for score in np.linspace(0.5, 0.9, count).tolist()]
    people = np.array([f"p-{number}" for number in range(count)])
    own = np.full(count, 0.85, np.float32)
    curve = open_set(Probes(np.arange(count), people, others, own, own))
    assert curve[-1]["threshold"] < 0.85
    assert curve[-1]["fnir"] == pytest.approx(0.2)


def test_one_stranger_with_many_photos_does_not_set_the_threshold():
    """A thirtieth of the people passes for somebody, however often the person is photographed."""
    people = np.array(["p-0"] * 100 + [f"p-{number}" for number in range(1, 200)])
    scores = [0.9] * 100 + [0.3] * 199
    others = [[Hit(0, score, score)] for score in scores]
    own = np.full(len(people), 0.5, np.float32)
    curve = open_set(Probes(np.arange(len(people)), people, others, own, own))
    tenth = next(line for line in curve if line["fpir"] == 0.1)
    assert tenth["threshold"] == pytest.approx(0.3)


def test_one_person_with_many_photos_does_not_make_the_curve():
    """Pairs grow with the square of the photos: of one with 20, no more than of one with six."""
    table = table_of([0.3] * 10, photos=20)
    same, different = pair_cosines(table, table.rows("lfw", "val"))
    assert len(same) == len(different) == 10 * 15


def test_a_network_made_anew_has_another_fingerprint(tmp_path):
    """Even under a version that was taken; the card's words and the figures change nothing."""
    manifest = {"name": "embedder", "version": "5", "kind": "face_embedder", "scales": [1.0]}
    files = {"network.bin": "aa", "MODEL_CARD.md": "bb"}

    def print_of(**changed):
        return fingerprint(Bundle(tmp_path, {**manifest, "files": files, **changed}))

    assert print_of().startswith("embedder-5-")
    assert print_of(files={**files, "MODEL_CARD.md": "cc"}, metrics={"x": 1}) == print_of()
    assert print_of(files={**files, "network.bin": "cc"}) != print_of()
    assert print_of(scales=[0.9]) != print_of()


def test_a_group_whose_faces_are_hardly_told_apart_shows(tmp_path):
    """More false accepts for people who look alike, fewer true ones for changing faces."""
    crowded = range(40, 60)
    table = table_of([0.3] * 20 + [0.9] * 20 + [0.3] * 20, crowded=crowded)
    kinds = {"steady": range(20), "changing": range(20, 40), "alike": crowded}
    group_of = {f"p-{number:03}": name for name, some in kinds.items() for number in some}
    probes = probes_of(table)
    tables = group_tables(table, probes, {"kind": group_of}, ask(table, probes))
    lines = {line["group"]: line for line in tables["by kind"]}
    assert list(lines) == ["everybody", "alike", "changing", "steady"]
    everybody, alike, changing, steady = lines.values()
    assert everybody["false_accept_rate"] == pytest.approx(0.001, abs=0.0005)
    assert everybody["people"] == 60
    assert everybody["same_pairs"] == 60 * 6
    assert alike["false_accept_rate"] > 5 * everybody["false_accept_rate"]
    assert changing["true_accept_rate"] < 0.5
    assert steady["true_accept_rate"] > 0.9
    assert changing["true_accept_rate_low"] < changing["true_accept_rate"]
    assert changing["true_accept_rate"] < changing["true_accept_rate_high"]
    assert changing["rank_1"] < steady["rank_1"] == 1
    assert 0 <= steady["calibration_error"] <= 1

    card = tmp_path / "card.md"
    about = {"embedder_version": "e", "detector_version": "d"}
    write_card(card, Evaluation({}, tables), about)
    assert "Gaps: true accepts from" in card.read_text()
    assert "(changing) to" in card.read_text()
    for line in tables["by kind"]:
        line["people_with_two_photos"] = 3
    write_card(card, Evaluation({}, tables), about)
    assert "Too few people" in card.read_text()


def test_people_are_grouped_by_the_median_of_their_photos(tmp_path):
    """One badly lit photo does not move a person; a person without a measure is in no group."""
    table = table_of([0.3] * 3)
    names = table.names.tolist()
    tones = dict(zip(names[:3], (45.0, 50.0, -80.0), strict=True))
    (tmp_path / "lfw").mkdir()
    with gzip.open(tmp_path / "lfw" / "attributes.csv.gz", "wt") as file:
        file.write("image_name,age_estimate\nP_000_0.webp,31.5\nP_001_0.webp,61\n")
    groups = apparent_groups(table, tones, read_ages(tmp_path))
    assert groups == {
        "skin tone": {"p-000": "light"},
        "age": {"p-000": "30 to 39", "p-001": "40 and over"},
    }


def test_colours_are_as_the_standard_has_them():
    """CIELAB as another implementation computes it."""
    colours = np.random.default_rng(0).integers(0, 256, (200, 3), dtype=np.uint8)
    np.testing.assert_allclose(lab(colours), rgb2lab(colours[None])[0], atol=0.02)


def test_the_typology_angle_orders_skin_from_light_to_dark():
    """Lighter skin has the larger angle and its class; grey photos have none."""
    colours = [(250, 220, 200), (225, 180, 150), (190, 140, 110), (120, 80, 60), (60, 40, 30)]
    angles = [tone(np.full((50, 3), colour, np.uint8)) for colour in colours]
    assert angles == sorted(angles, reverse=True)
    names = [tone_class(angle) for angle in angles]
    assert (names[0], names[-1]) == ("very light", "dark")
    assert [tone_class(angle) for angle in (55.1, 54.9, 28, -30, -89)] == [
        "very light",
        "light",
        "tan",
        "dark",
        "dark",
    ]
    assert np.isnan(tone(np.full((50, 3), 128, np.uint8)))
    assert np.isnan(tone(np.full((5, 3), (225, 180, 150), np.uint8)))


def test_only_the_cheeks_are_looked_at():
    """Pixels within the polygons of the mesh, and none of the rest."""
    photo = np.zeros((100, 100, 3), np.uint8)
    photo[40:61, 10:31] = photo[40:61, 70:91] = (200, 150, 120)
    points = np.full((468, 3), 99, np.float32)
    square = [(11, 41), (20, 41), (29, 41), (29, 59), (20, 59), (11, 59)]
    points[[117, 118, 101, 36, 205, 187], :2] = square
    points[[346, 347, 330, 266, 425, 411], :2] = [(x + 60, y) for x, y in square]
    pixels = cheek_pixels(photo, points)
    assert len(pixels) == pytest.approx(2 * 19 * 19, rel=0.1)
    assert (pixels == (200, 150, 120)).all()


def test_several_photos_find_a_person_more_surely():
    """Each photo more takes noise away; good photos count more; strangers are refused."""
    table = table_of([0.75] * 60, photos=6)
    rows = table.rows("lfw", "val")
    enrolled, hubness = enrol(table, table.rows("lfw")), general_hubness(table)
    one, two, three = together(table, rows, index_of(enrolled, hubness), enrolled.ids, hubness)
    assert [line["sets"] for line in (one, two, three)] == [180] * 3
    assert one["rank_1_plain"] < two["rank_1_plain"] < three["rank_1_plain"]
    assert one["rank_1_plain"] == one["rank_1_weighted"]
    assert "refused" not in one
    assert three["strangers_refused"] > 0.6 + three["refused"]
    poor = np.arange(len(rows)) % 6 < 3
    table.vectors[rows[poor]] = table.vectors[rows[poor]][::-1]
    table.quality[rows] = np.where(poor, 0.05, 1)
    *_, three = together(table, rows, index_of(enrolled, hubness), enrolled.ids, hubness)
    assert three["rank_1_weighted"] > three["rank_1_plain"]


class FakeMesh:
    """Sees the cheeks where they are, and no face in a black photo."""

    def __init__(self):
        self.measured = 0

    def measure(self, image, box_xyxy, eyes):
        self.measured += 1
        points = np.zeros((468, 3), np.float32)
        square = [(20, 50), (30, 50), (40, 50), (40, 70), (30, 70), (20, 70)]
        points[[117, 118, 101, 36, 205, 187], :2] = square
        points[[346, 347, 330, 266, 425, 411], :2] = [(x + 40, y) for x, y in square]
        return points, 0.9 if image.any() else 0.1


def test_skin_tones_are_measured_once_and_kept(tmp_path):
    """By photo; one without a face, and one in which the mesh sees none, have no tone."""
    colours = {"A": (225, 180, 150), "B": (60, 40, 30), "C": (0, 0, 0), "D": (225, 180, 150)}
    found = KeptRows(tmp_path / "detector-9.npz")
    (tmp_path / "lfw").mkdir()
    lines = ["image_name,person,split,path_in_tar"]
    with tarfile.open(tmp_path / "lfw" / "images.tar", "w") as archive:
        for person, colour in colours.items():
            path = f"{person}/{person}_1.png"
            lines.append(f"{person}_1.png,{person},val,{path}")
            buffer = io.BytesIO()
            Image.new("RGB", (100, 100), colour).save(buffer, "PNG")
            entry = tarfile.TarInfo(path)
            entry.size = buffer.tell()
            buffer.seek(0)
            archive.addfile(entry, buffer)
            row = np.zeros(11, np.float32)
            row[:10] = [35, 40, 65, 40, 50, 55, 40, 75, 60, 75]
            row[10] = person != "D"
            found.add(f"lfw/{path}", row)
    found.save()
    (tmp_path / "lfw" / "images.csv").write_text("\n".join(lines))
    mesh = FakeMesh()
    measured = tones(tmp_path, tmp_path, "detector-9", mesh)
    assert set(measured) == {"lfw/A/A_1.png", "lfw/B/B_1.png"}
    assert tone_class(measured["lfw/A/A_1.png"]) == "light"
    assert tone_class(measured["lfw/B/B_1.png"]) == "dark"
    assert mesh.measured == 3
    assert tones(tmp_path, tmp_path, "detector-9", mesh) == measured
    assert mesh.measured == 3


def test_a_person_with_many_photos_makes_no_hub() -> None:
    """The photos of one person share a vote, and the votes of all make one."""
    weights = _each_person_once(np.array(["a", "b", "a", "a", "c"]))
    assert weights.tolist() == pytest.approx([1 / 9, 1 / 3, 1 / 9, 1 / 9, 1 / 3])
