"""int8 where it costs little, fp16 where it costs more."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["TOLERANCE", "PrecisionChoice", "choose_precision"]

_log = logging.getLogger(__name__)

TOLERANCE = 0.01
"""Share of fp32's score that int8 may cost."""

Scored = TypeVar("Scored")


@dataclass(frozen=True, slots=True)
class PrecisionChoice(Generic[Scored]):
    """What was exported in the end.

    Attributes:
        precision: Of the encoder, "int8" or "fp16".
        scores: Evaluation of each precision that was tried, the chosen one last.
    """

    precision: str
    scores: Mapping[str, Scored]

    @property
    def served(self) -> Scored:
        """Evaluation of what was exported."""
        return self.scores[self.precision]


def choose_precision(
    export: Callable[[str], object],
    evaluate: Callable[[], Scored],
    *,
    value: Callable[[Scored], float],
    reference: float,
    tolerance: float = TOLERANCE,
) -> PrecisionChoice[Scored]:
    """Exports in int8, and once more in fp16 where int8 costs too much.

    Args:
        export: Writes the bundle with its encoder in "int8" or "fp16".
        evaluate: Scores what was written, on photos that nothing was trained on.
        value: The score to go by, such as CIDEr-D; more is better.
        reference: The same score in fp32, of the same photos with the same search.
        tolerance: Share of ``reference`` that int8 may cost.
    """
    export("int8")
    scores = {"int8": evaluate()}
    reached = value(scores["int8"])
    if reached >= (1 - tolerance) * reference:
        return PrecisionChoice("int8", scores)
    _log.warning(
        "int8 scores %.4f where fp32 scores %.4f: the encoder stays in fp16", reached, reference
    )
    export("fp16")
    scores["fp16"] = evaluate()
    return PrecisionChoice("fp16", scores)
