"""Tests of the configuration."""

from pathlib import Path

import pytest

from training.config import TrainConfig


def test_saved_configuration_is_the_same(tmp_path: Path) -> None:
    """Nothing is lost on the way to JSON and back."""
    config = TrainConfig(fine_tune=("backbone.layer4",), decoder_options={"hidden": 8})
    config.save(tmp_path / "config.json")
    assert TrainConfig.load(tmp_path / "config.json") == config
    assert config.changed(epochs=1).epochs == 1


def test_a_sample_needs_another_one() -> None:
    """Its baseline is the mean of the others; without self-critical training there are none."""
    with pytest.raises(ValueError, match="samples is 2 or more"):
        TrainConfig(self_critical_epochs=1, samples=1)
    assert TrainConfig(samples=1).samples == 1


def test_a_misspelt_option_is_not_ignored() -> None:
    """The error names it."""
    with pytest.raises(ValueError, match="lerning_rate"):
        TrainConfig.from_dict({"lerning_rate": 1})
