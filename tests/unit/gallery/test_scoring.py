"""Likeness, and the probabilities that two faces are of one person."""

from itertools import pairwise

import numpy as np
import pytest

from model_server.gallery.calibration import Calibration
from model_server.gallery.hubness import Hubness
from model_server.gallery.index import FaceIndex, Hit
from model_server.gallery.records import PersonFaces
from model_server.gallery.scoring import BestMatches, Scorer

DIMENSION = 8
NO_HUBNESS = Hubness.fit(np.zeros((0, DIMENSION), np.float32), 1, 0.0)
PAIRS = Calibration(20.0, -10.0)


NOBODY = np.zeros(0, np.float32)
NO_RIVALS = np.zeros((0, 2), np.float32)


def two_best(best, behind=0.03):
    """Best matches and second ones, that far behind on average."""
    gap = np.random.default_rng(2).exponential(behind, len(best)).astype(np.float32)
    return np.stack([best, best - gap], axis=1)


def best_probability(scorer, score, second=None):
    hits = [Hit(1, score, score)] + [Hit(2, second, second)] * (second is not None)
    return scorer.matches(hits)[0].same_person_probability


def unit_rows(count, seed):
    rows = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_fifty_is_the_median_best_match():
    """Likeness is the rank among the best matches of strangers."""
    best = np.linspace(0.4, 0.6, 101).astype(np.float32)
    scorer = Scorer(PAIRS, NOBODY, NO_RIVALS, two_best(best))
    assert scorer.likeness(0.5) == pytest.approx(50, abs=0.1)
    assert scorer.likeness(0.42) == pytest.approx(10, abs=1)
    assert scorer.likeness(0.58) == pytest.approx(90, abs=1)


def test_likeness_rises_everywhere_and_stays_within_bounds():
    """No two similarities tie, also far outside of what strangers reach."""
    best = np.random.default_rng(0).normal(0.5, 0.05, 50).astype(np.float32)
    scorer = Scorer(PAIRS, NOBODY, NO_RIVALS, two_best(best))
    values = [scorer.likeness(score) for score in np.linspace(0.2, 0.75, 200)]
    assert all(a < b for a, b in pairwise(values))
    assert scorer.likeness(-1) >= 0
    assert scorer.likeness(1.0) <= 99.9


def test_a_match_must_beat_the_best_of_thousands():
    """A similarity that convinces between two photos does not where it is a stranger's best."""
    strangers = np.random.default_rng(0).normal(0.6, 0.03, 300).astype(np.float32)
    genuine = np.random.default_rng(1).normal(0.85, 0.05, 300).astype(np.float32)
    scorer = Scorer(PAIRS, genuine, two_best(strangers), two_best(strangers))
    assert scorer.pair(0.6, 0.0).same_person_probability > 0.85
    assert best_probability(scorer, 0.6, 0.57) < 0.05
    assert best_probability(scorer, 0.85, 0.6) > 0.95
    # A celebrity alone has nobody to be ahead of.
    assert best_probability(scorer, 0.6) < 0.05
    assert best_probability(scorer, 0.85) > 0.95


def test_a_lead_over_the_second_speaks_for_the_best():
    """Of two best matches with one score that is the person which is far ahead of the others."""
    rng = np.random.default_rng(0)
    strangers = two_best(rng.normal(0.55, 0.05, 500).astype(np.float32))
    genuine = rng.normal(0.6, 0.08, 500).astype(np.float32)
    scorer = Scorer(PAIRS, genuine, strangers, strangers)
    close, ahead = (best_probability(scorer, 0.62, second) for second in (0.61, 0.48))
    assert close < 0.3
    assert ahead > 0.8
    values = [best_probability(scorer, 0.62, second) for second in np.linspace(0.2, 0.62, 30)]
    assert all(low > high for low, high in pairwise(values))


def test_the_best_match_is_as_often_the_person_as_its_probability_says():
    """Half of the probes are enrolled; what counts is who is best of all, not any own score."""
    rng = np.random.default_rng(0)
    # Some own scores stay below the best of all others: they are never seen.
    genuine, others = rng.normal(0.65, 0.05, 4000), rng.normal(0.55, 0.05, 4000)
    rivals = two_best(others.astype(np.float32))
    scorer = Scorer(PAIRS, genuine[::2].astype(np.float32), rivals[::2], rivals[::2])
    genuine, rivals = genuine[1::2], rivals[1::2]
    enrolled = np.arange(len(genuine)) % 2 == 0
    found = np.where(enrolled[:, None], np.column_stack([genuine, rivals]), [[-1, *[0.0] * 2]])
    found[~enrolled, 1:] = rivals[~enrolled]
    best, second = -np.sort(-found, axis=1)[:, :2].T
    right = enrolled & (genuine > rivals[:, 0])
    said = np.array([best_probability(scorer, *both) for both in zip(best, second, strict=True)])
    assert said.mean() == pytest.approx(right.mean(), abs=0.02)
    sure = said > 0.8
    assert said[sure].mean() == pytest.approx(right[sure].mean(), abs=0.05)


def test_a_face_is_of_one_person_only():
    """Of two celebrities who are both very much alike the second is hardly the person too."""
    strangers = np.random.default_rng(0).normal(0.6, 0.03, 300).astype(np.float32)
    genuine = np.random.default_rng(1).normal(0.85, 0.05, 300).astype(np.float32)
    scorer = Scorer(PAIRS, genuine, two_best(strangers), two_best(strangers))
    hits = [Hit(1, 0.9, 0.9), Hit(2, 0.85, 0.85), Hit(3, 0.5, 0.5)]
    first, second, third = (match.same_person_probability for match in scorer.matches(hits))
    assert first == best_probability(scorer, 0.9, 0.85)
    assert third < second < 0.1
    assert first + second + third <= 1


def test_a_calibration_finds_the_curve_that_made_the_data():
    """Fitted to samples of two normal distributions it gives their known log-odds."""
    rng = np.random.default_rng(0)
    same = rng.normal(0.7, 0.1, 20_000).astype(np.float32)
    different = rng.normal(0.3, 0.1, 20_000).astype(np.float32)
    fitted = Calibration.fit(same, different)
    assert fitted.slope == pytest.approx(0.4 / 0.01, rel=0.05)
    assert fitted.probability(0.5) == pytest.approx(0.5, abs=0.02)


def test_a_calibration_sees_what_has_nothing_to_do_with_similarity():
    """Labels that are wrong bend the curve's ends and leave its slope alone."""
    rng = np.random.default_rng(0)
    same = rng.normal(0.7, 0.1, 20_000).astype(np.float32)
    different = rng.normal(0.3, 0.1, 20_000).astype(np.float32)
    wrong_same, wrong_different = same.copy(), different.copy()
    wrong_same[:1000], wrong_different[:400] = different[:1000], same[:400]
    flattened = Calibration.fit(wrong_same, wrong_different)
    fitted = Calibration.fit_with_lapses(wrong_same, wrong_different)
    assert flattened.slope < 25
    assert fitted.slope == pytest.approx(0.4 / 0.01, rel=0.1)
    assert fitted.probability(0.0) == pytest.approx(0.05, abs=0.01)
    assert fitted.probability(1.0) == pytest.approx(0.98, abs=0.01)


@pytest.mark.parametrize(("same", "different"), [([0.8, 0.9], [0.1, 0.2]), ([0.5], [0.5])])
def test_a_few_similarities_are_enough_for_a_calibration(same, different):
    """Where nothing is out of order, or all is the same, the curve stays a curve."""
    fitted = Calibration.fit_with_lapses(np.array(same), np.array(different))
    values = [fitted.probability(x) for x in np.linspace(-1, 1, 21)]
    assert all(0 <= low <= high <= 1 for low, high in pairwise(values))
    assert fitted.probability(0.5) == pytest.approx(0.5, abs=0.01)


def test_best_matches_follow_the_gallery():
    """Kept up change by change, the best two are what a search of everything gives."""
    reference = unit_rows(30, 0)
    hubness = Hubness.fit(unit_rows(40, 1), 5, 0.5)
    own = [*range(10), *[-1] * 20]
    index = FaceIndex(DIMENSION, hubness)
    kept = BestMatches(hubness, reference, own)
    assert np.isneginf(kept.scores).all()
    # The first ten reference people are in the gallery, with their very faces.
    start = [PersonFaces(key, reference[key : key + 1]) for key in range(10)]
    start += [PersonFaces(key, unit_rows(2, key)) for key in range(10, 60)]
    steps = [
        (start, []),
        ([PersonFaces(70, unit_rows(3, 70)), PersonFaces(12, unit_rows(1, 99))], []),
        ([PersonFaces(13, np.zeros((0, DIMENSION), np.float32))], list(range(20, 50))),
        ([], list(range(10))),
    ]
    for changed, gone in steps:
        index.remove(gone)
        index.replace(changed)
        kept.change(index, changed, gone)
        anew = BestMatches(hubness, reference, own)
        anew.search_all(index)
        np.testing.assert_allclose(kept.scores, anew.scores, atol=1e-5)
        assert kept.scores.max() < 0.999
