"""The curve that weighs a best match's score and its lead."""

import numpy as np
import pytest

from model_server.gallery.top_match import TopMatchCurve


def test_the_curve_that_made_the_data_is_found():
    """Of answers drawn with known log-odds, the fit has these log-odds where most answers lie."""
    rng = np.random.default_rng(0)
    count = 40_000
    best, lead = rng.uniform(0.4, 0.8, count), rng.uniform(0, 0.3, count)
    made = TopMatchCurve(10.0, 20.0, -9.0)
    told = [made.probability(b, b - gap) for b, gap in zip(best, lead, strict=True)]
    person = rng.random(count) < np.array(told)
    # Enrolled faces whose own score is the best of all, or far below; the others are strangers.
    genuine = np.where(person, best, -1.0)
    rivals = np.stack([np.where(person, best - lead, best), best - lead], axis=1)
    rivals[person, 1] = -0.5
    fitted = TopMatchCurve.fit(genuine, rivals, rivals[~person])
    assert fitted is not None
    # Strangers count as much as the enrolled: that shifts the curve, and turns it not.
    assert fitted.score == pytest.approx(made.score, rel=0.1)
    assert fitted.lead == pytest.approx(made.lead, rel=0.1)


def test_without_two_others_there_is_no_curve():
    """A gallery of one celebrity has no second best match, an empty one no best."""
    one = np.array([[0.4, -np.inf]] * 5, np.float32)
    assert TopMatchCurve.fit(np.full(5, 0.8, np.float32), one, one) is None
    nobody = np.zeros((0, 2), np.float32)
    assert TopMatchCurve.fit(np.zeros(0, np.float32), nobody, nobody) is None


def test_a_few_faces_are_enough_and_probabilities_stay_probabilities():
    """Where score and lead tell everything the curve stays a curve."""
    strangers = np.array([[0.4, 0.38], [0.45, 0.44], [0.5, 0.49]], np.float32)
    fitted = TopMatchCurve.fit(np.full(3, 0.9, np.float32), strangers, strangers)
    assert fitted is not None
    assert fitted.probability(0.9, 0.45) > 0.9
    assert fitted.probability(0.45, 0.44) < 0.1
    assert 0 <= fitted.probability(-1.0, -1.0) <= fitted.probability(1.0, -1.0) <= 1
