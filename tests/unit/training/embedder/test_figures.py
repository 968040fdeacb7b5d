"""Figures of verification on vectors whose answers are plain."""

import numpy as np
import pytest

from training.embedder.metrics import Pairs, all_pairs, read_pairs, true_accept_rate, verification


def pairs_of(same, folds=2):
    count = len(same)
    return Pairs(np.arange(count), np.arange(count), np.array(same), np.arange(count) % folds)


def test_perfect_scores():
    """Where the right pairs all score higher, nothing is lost."""
    same = np.array([True, True, False, False] * 10)
    figures = verification(np.where(same, 0.8, 0.1).astype(np.float32), pairs_of(same))
    assert (figures.accuracy, figures.tar_1e2, figures.tar_1e3) == (1.0, 1.0, 1.0)


def test_a_threshold_is_not_chosen_on_the_fold_it_is_used_on():
    """Each fold is told apart perfectly, but not with the other fold's threshold."""
    same = np.array([True, True, False, False])
    scores = np.float32([0.9, 0.3, 0.6, 0.1])  # folds 0, 1, 0, 1
    figures = verification(scores, pairs_of(same))
    assert figures.accuracy == 0.5
    assert figures.deviation == 0.0


def test_true_accepts():
    """Half of the same-person pairs lie above all others."""
    scores = np.float32([0.9, 0.2, 0.5, 0.1])
    assert true_accept_rate(scores, np.array([True, True, False, False]), 1e-3) == 0.5


def test_pairs_of_a_list(tmp_path):
    """Pairs with an unknown face are left out; the cosine is that of the two rows."""
    table = tmp_path / "pairs.csv"
    table.write_text(
        "fold,same,person1,number1,person2,number2,image1,image2\n"
        "1,1,A,1,A,2,A_1.webp,A_2.webp\n"
        "2,0,A,1,B,1,A_1.webp,B_1.webp\n"
        "2,0,A,1,C,1,A_1.webp,C_1.webp\n"
    )
    pairs = read_pairs(table, {"A_1.webp": 0, "A_2.webp": 1, "B_1.webp": 2})
    assert pairs.same.tolist() == [True, False]
    vectors = np.float32([[1, 0], [0.6, 0.8], [0, 1]])
    assert pairs.scores(vectors) == pytest.approx([0.6, 0.0])


def test_all_pairs():
    """Every pair once, the same person recognised by name."""
    pairs = all_pairs(["x", "a", "b", "a"], np.array([1, 2, 3]))
    assert set(zip(pairs.first, pairs.second, pairs.same, strict=True)) == {
        (1, 2, False),
        (1, 3, True),
        (2, 3, False),
    }
