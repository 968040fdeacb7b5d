"""Tests of checkpoints."""

from torch import nn

from training.checkpoint import MovingAverage


def test_moving_average() -> None:
    """Swapping twice gives the weights back; the average lies between old and new ones."""
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 0.0)
    average = MovingAverage(layer, 0.5)
    nn.init.constant_(layer.weight, 1.0)
    average.update(layer)
    average.swap(layer)
    assert 0 < layer.weight.item() < 1
    average.swap(layer)
    assert layer.weight.item() == 1
