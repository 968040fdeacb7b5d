"""The model card of the seed gallery, from the figures of one run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from training.gallery.evaluate import MatcherFigures

__all__ = ["write_card"]

_MEANINGS = {
    "celebrities_rank_1": "celebrities, gallery → probe, all LFW people among them: rank 1",
    "celebrities_rank_5": "the same: rank 5",
    "lfw_one_enrolled_rank_1": "LFW people with two photos or more, one enrolled: rank 1",
    "lfw_one_enrolled_rank_5": "the same: rank 5",
    "lfw_one_enrolled_val_rank_1": "the same, people held out of training only: rank 1",
    "lfw_one_enrolled_val_rank_5": "the same, held out: rank 5",
    "fnir_at_fpir_1_percent": "open set: missed people where 1 % of strangers are let in (FNIR)",
    "fnir_at_fpir_10_percent": "open set: the same where 10 % are",
    "most_frequent_best_match": "hubness: share of val faces that the commonest best match gets",
    "different_best_matches": "different best matches of all val faces",
    "likeness_of_strangers_median": "likeness of strangers' best matches: median (50 is meant)",
    "likeness_of_strangers_p10": "the same: 10th percentile (10 is meant)",
    "likeness_of_strangers_p90": "the same: 90th percentile (90 is meant)",
    "compare_calibration_error": "expected calibration error of P(same) for two photos",
    "match_calibration_error": "expected calibration error of P(same) for a match",
}

_HEAD = """# The seed gallery

Names and embeddings of the people of LFW and of 34 well-known people, without pictures.
It is what a new gallery starts with; operators add and remove people as they like.

* Embedder: {embedder_version}; detector: {detector_version}. Embeddings of another
  embedder cannot be compared with these.
* Each person is kept as one to three centres (spherical k-means, weighted by the photos'
  quality), in float16.
* `reference.npz` holds one embedding of each val person (held out of training), by which
  likeness is ranked; scores of val people with another photo of their own, for P(same);
  and 1,000 training people, by whom faces that are near to everybody are marked down (CSLS).
* LFW's terms are for research: the photos are not here, and its people are public figures
  of 2002 to 2004, about 78 % men and mostly light-skinned. Look-alikes of others are found
  among fewer people. A few names in LFW are wrong.
* A likeness is a game, not an identification: do not decide anything about a person by it.

## Figures

Made by `python -m training.gallery --data DATA`. What is fitted on val people is measured
on the half of them that it was not fitted on.

"""


def write_card(path: Path, figures: MatcherFigures, about: Mapping[str, object]) -> None:
    """Writes the card."""
    lines = ["| | |", "| --- | --- |"]
    lines += [f"| {_MEANINGS[key]} | {figures[key]:g} |" for key in _MEANINGS if key in figures]
    changes = [key.removeprefix("same_best_") for key in figures if key.startswith("same_best_")]
    if changes:
        lines += [
            "",
            f"Stability: {figures['stability_people']:g} val people who count as not enrolled.",
            "",
            "| changed by | same best celebrity | one of the best three shared |",
            "| --- | --- | --- |",
        ]
        lines += [
            f"| {change.replace('_', ' ')} | {figures[f'same_best_{change}']:.1%} "
            f"| {figures[f'share_one_of_three_{change}']:.1%} |"
            for change in changes
        ]
    path.write_text(_HEAD.format(**about) + "\n".join(lines) + "\n", encoding="utf-8")
