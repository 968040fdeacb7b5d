"""Where a run computes."""

import logging
import random

import numpy as np
import pytest
import torch

from training import runtime
from training.runtime import cpu_autocast, seed_generators, start_runtime


@pytest.mark.parametrize(("able", "dtype"), [(True, torch.bfloat16), (False, None)])
def test_bfloat16_only_where_the_cpu_computes_in_it(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    able: bool,
    dtype: torch.dtype | None,
) -> None:
    """On other CPUs a run goes on in float32, and says so."""
    monkeypatch.setattr(runtime, "computes_in_bfloat16", lambda: able)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with caplog.at_level(logging.WARNING), start_runtime("bfloat16", 0, 0) as started:
        assert started.dtype is dtype
        assert ("float32 is used" in caplog.text) is not able
    with cpu_autocast():
        assert torch.is_autocast_enabled("cpu") is able


def test_what_is_drawn_depends_on_the_numbers_only() -> None:
    """The same again for the same numbers, whatever was drawn before; another rank's is another."""

    def drawn(*numbers: int) -> tuple[float, float, float]:
        seed_generators(*numbers)
        return random.random(), float(np.random.rand()), float(torch.rand(1))  # noqa: NPY002

    first, other = drawn(0, 0, 3), drawn(0, 1, 3)
    assert not set(first) & set(other)
    assert drawn(0, 0, 3) == first


def test_a_precision_that_is_none_is_refused() -> None:
    """Before anything starts."""
    with pytest.raises(ValueError, match="float16"), start_runtime("float16", 0, 0):
        pass
