"""The field's metrics, from pycocoevalcap, on tokenised captions."""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Scores", "score_captions"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a set of captions.

    Attributes:
        metrics: "bleu_1" … "bleu_4" (corpus BLEU), "rouge_l", "cider" (CIDEr-D) and, where Java
            is present and it was asked for, "meteor".
        cider: Of each photo, in the order of the captions.
    """

    metrics: Mapping[str, float]
    cider: Sequence[float]


def score_captions(
    references: Mapping[str, Sequence[str]], captions: Mapping[str, str], *, meteor: bool = False
) -> Scores:
    """Scores one caption a photo against its references.

    Args:
        references: Name → reference captions, tokenised, words joined by spaces.
        captions: Name → caption, likewise. Every name must have references.
        meteor: Whether to run METEOR, which needs Java and takes its time.

    Raises:
        KeyError: A captioned photo has no references.
    """
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    truth = {name: list(references[name]) for name in captions}
    answers = {name: [caption] for name, caption in captions.items()}
    with contextlib.redirect_stdout(io.StringIO()):  # BLEU prints
        bleu, _ = Bleu(4).compute_score(truth, answers)
        rouge, _ = Rouge().compute_score(truth, answers)
        cider, each = Cider().compute_score(truth, answers)
    metrics = {f"bleu_{n}": float(value) for n, value in enumerate(bleu, 1)}
    metrics |= {"rouge_l": float(rouge), "cider": float(cider)}
    if meteor and shutil.which("java"):
        value = _meteor(truth, answers)
        if value is not None:
            metrics["meteor"] = value
    return Scores(metrics, [float(value) for value in each])


def _meteor(
    truth: Mapping[str, Sequence[str]], answers: Mapping[str, Sequence[str]]
) -> float | None:
    """METEOR, or nothing where there is a Java that does not run."""
    from pycocoevalcap.meteor.meteor import Meteor

    meteor = Meteor()
    java = meteor.meteor_p
    try:
        value, _ = meteor.compute_score(truth, answers)
        return float(value)
    except (OSError, ValueError) as error:
        _log.warning("no METEOR: Java does not run it (%s)", error)
        meteor.lock.release()  # pycocoevalcap does not, and would wait for it for ever
        return None
    finally:
        java.kill()
        java.communicate()  # and closes the pipes, which pycocoevalcap leaves open
