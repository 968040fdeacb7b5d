"""Tests of the choice between int8 and fp16."""

import math

import pytest

from training.precision import PrecisionChoice, choose_precision


def choose(int8: float, reference: float = 1.0) -> tuple[PrecisionChoice[float], list[str]]:
    """The choice where int8 scores this much and fp16 as much as fp32, and what was exported."""
    exported: list[str] = []
    choice = choose_precision(
        exported.append,
        lambda: {"int8": int8, "fp16": reference}[exported[-1]],
        value=float,
        reference=reference,
    )
    return choice, exported


@pytest.mark.parametrize("int8", [1.02, 1.0, 0.991])
def test_int8_that_costs_little_is_kept(int8: float) -> None:
    """Up to one per cent; nothing else is exported."""
    choice, exported = choose(int8)
    assert (choice.precision, choice.served, exported) == ("int8", int8, ["int8"])


@pytest.mark.parametrize("int8", [0.989, 0.2, math.nan])
def test_int8_that_costs_more_gives_way(int8: float) -> None:
    """fp16 is what lies there in the end, and both scores are told."""
    choice, exported = choose(int8)
    assert (choice.precision, choice.served, exported) == ("fp16", 1.0, ["int8", "fp16"])
    assert list(choice.scores) == ["int8", "fp16"]


def test_a_captioner_without_any_score_stays_in_int8() -> None:
    """Nothing can be lost where fp32 scores nothing."""
    assert choose(0.0, 0.0)[0].precision == "int8"
