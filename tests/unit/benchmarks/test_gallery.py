"""Tests of what the benchmark of the gallery counts."""

from benchmarks.gallery import Answers


def test_answers_that_are_too_short_lose_recall():
    """What an answer lacks counts as not found; a truth of fewer asks for fewer."""
    truth = [list(range(10)), list(range(10))]
    whole, half = Answers(truth, [], []), Answers([truth[0], truth[1][:5]], [], [])
    assert whole.recall(truth, 10) == 1.0
    assert half.recall(truth, 10) == 0.75
    assert half.recall(truth, 1) == 1.0
    assert half.recall([truth[0], truth[1][:5]], 10) == 1.0
    assert Answers([[9, 0], []], [], []).recall(truth, 1) == 0.0
