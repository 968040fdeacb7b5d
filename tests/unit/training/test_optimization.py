"""Tests of a step of learning."""

import pytest

from training.optimization import cosine


def test_learning_rate() -> None:
    """Up in a line, down along a cosine, never zero."""
    rates = [cosine(step, 100, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.05, abs=0.01)
    assert cosine(100, 100, 0.1, floor=0.2) == pytest.approx(0.2)
    assert cosine(55, 100, 0.1, floor=0.2) == pytest.approx(0.6)
