"""Tests of the attribute head and how its logits are read."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.faces.attributes import (
    average_precision,
    best_thresholds,
    masked_loss,
)
from training.faces.labels import VALUES
from training.faces.scoring import score


def test_unknown_labels_teach_nothing() -> None:
    """Neither loss nor gradient depends on a value whose label is unknown."""
    logits = torch.zeros(1, 3, requires_grad=True)
    masked_loss(logits, torch.tensor([[1.0, -1.0, 0.0]])).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[0, 1] == 0
    assert logits.grad[0, 0] < 0 < logits.grad[0, 2]


def test_threshold_gives_the_best_f1() -> None:
    """Saying all from the threshold up is as good as any other cut."""
    rng = np.random.default_rng(0)
    table = rng.integers(-1, 2, (200, len(VALUES))).astype(np.int8)
    logits = (rng.normal(size=table.shape) + 1.5 * (table == 1)).astype(np.float32)

    def f1(threshold: float) -> float:
        return score(logits >= threshold, table).micro_f1

    (chosen,) = set(best_thresholds(logits, table).tolist())
    assert f1(chosen) >= max(f1(other) for other in np.linspace(-3, 4, 200))


def test_average_precision_of_a_perfect_order_is_one() -> None:
    """Known faces in the right order give 1, in the wrong one less; unknown ones do not count."""
    table = np.full((4, 1), -1, np.int8)
    table[:, 0] = [1, 1, 0, -1]
    assert average_precision(np.array([[3], [2], [1], [9]], np.float32), table) == 1
    assert average_precision(np.array([[1], [2], [3], [0]], np.float32), table) == pytest.approx(
        (1 / 2 + 2 / 3) / 2
    )
