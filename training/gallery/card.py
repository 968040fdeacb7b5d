"""The model card of the seed gallery, from what one run measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from training.gallery.evaluate import Evaluation, MatcherFigures
from training.gallery.groups import Line

__all__ = ["write_card"]

_MEANINGS = {
    "celebrities_rank_1": "celebrities, gallery → probe, all LFW people among them: rank 1",
    "celebrities_rank_5": "the same: rank 5",
    "lfw_one_enrolled_rank_1": "LFW people with two photos or more, one enrolled: rank 1",
    "lfw_one_enrolled_rank_5": "the same: rank 5",
    "lfw_one_enrolled_val_rank_1": "the same, people held out of training only: rank 1",
    "lfw_one_enrolled_val_rank_5": "the same, held out: rank 5",
    "most_frequent_best_match": "hubness: share of val faces that the commonest best match gets",
    "most_frequent_best_match_by_person": "the same, each val person counted once, whatever photos",
    "different_best_matches": "different best matches of all val faces",
    "likeness_of_strangers_median": "likeness of strangers' best matches: median (50 is meant)",
    "likeness_of_strangers_p10": "the same: 10th percentile (10 is meant)",
    "likeness_of_strangers_p90": "the same: 90th percentile (90 is meant)",
    "compare_calibration_error": "expected calibration error of P(same) for two photos",
    "compare_calibration_chance": "the same, if every probability were exact",
    "match_calibration_error": "expected calibration error of P(same) for the best match",
    "match_calibration_chance": "the same, if every probability were exact",
    "later_match_calibration_error": "expected calibration error of P(same), second to fifth match",
    "later_match_calibration_chance": "the same, if every probability were exact",
}

_HEAD = """# The seed gallery

Names and embeddings of the people of LFW and of 34 well-known people, without pictures.
It is what a new gallery starts with; operators add and remove people as they like.

* Embedder: {embedder_version}; detector: {detector_version}. Embeddings of another
  embedder cannot be compared with these.
* Each person is kept as the mean of the photos, weighted by their quality, in float16.
* `reference.npz` holds one embedding of each val person (held out of training), by which
  likeness is ranked; scores of val people with another photo of their own, for P(same);
  and the training people, by whom faces that are near to everybody are marked down (CSLS).
* LFW's terms are for research: the photos are not here, and its people are public figures
  of 2002 to 2004, about 78 % men and mostly light-skinned. Look-alikes of others are found
  among fewer people. A few names in LFW are wrong.
* A likeness is a game, not an identification: do not decide anything about a person by it.

## Figures

Made by `python -m training.gallery --data DATA`. What is fitted on val people is measured
on those that it was not fitted on, in five turns.

"""

_OPEN_SET = """
## Open set

{val_faces:g} faces of {val_people:g} val people ask as strangers, {val_mated_faces:g} of
{val_mated_people:g} of them as enrolled. FPIR: strangers' faces that find somebody at or
above the threshold. FNIR: faces of the enrolled whose person is not the best match or
stays below it, with all the person's other photos enrolled, or with one.

"""

_OPEN_SET_COLUMNS = (
    ("FPIR", "fpir", "{:.1%}"),
    ("threshold", "threshold", "{:.4f}"),
    ("FNIR", "fnir", "{:.1%}"),
    ("FNIR, one photo enrolled", "fnir_one_photo", "{:.1%}"),
)

_TOGETHER = """
## Several photos of a user together

Of val people with four photos or more one is enrolled, and sets of others ask. Refused: sets
in which one photo is taken to be of somebody else, wrongly, and with a stranger's photo in
place of the last.

"""

_TOGETHER_COLUMNS = (
    ("photos", "photos", "{}"),
    ("sets", "sets", "{}"),
    ("rank 1, plain mean", "rank_1_plain", "{:.1%}"),
    ("rank 1, weighted by quality", "rank_1_weighted", "{:.1%}"),
    ("refused", "refused", "{:.1%}"),
    ("refused with a stranger's", "strangers_refused", "{:.1%}"),
)

_RELIABILITY = """
## P(same) of the best match

As likely as not that the person is enrolled; each answer by a curve fitted on other people.
Few answers fall between the ends, so that part of the error is chance: with exact
probabilities it would be {match_calibration_chance:g} on average.

"""

_STABILITY = """
Stability: {stability_people:g} val people who count as not enrolled. Another photo:
{another_photo_photos:g} photos of {another_photo_people:g} of them, {another_photo_most_of_one:g}
of one man; each photo counts once, and in the rows "by person" each person. Other draws of as many
people would give means from {stability_same_low:.1%} to {stability_same_high:.1%}, and from
{stability_shared_low:.1%} to {stability_shared_high:.1%} (95 % of them).

"""

_RELIABILITY_COLUMNS = (
    ("said, from", "low", "{:.2f}"),
    ("to", "high", "{:.2f}"),
    ("answers", "count", "{}"),
    ("share", "share", "{:.1%}"),
    ("said", "said", "{:.3f}"),
    ("true", "true", "{:.3f}"),
)

_GROUPS = """
## By apparent group

What photos show, measured by machine. Skin tone: the individual typology angle of the cheeks
inside the face mesh (classes of Chardon et al., 1991), which is how light the skin appears in
that light. Age: DeepFace's estimates that LFW's copy brings along, drawn towards the middle.
Person by person, the median over the photos. True and false accepts are of pairs of photos at
the one threshold at which 0.1 % of all pairs of different people are taken for the same; rank 1
is with all the person's other photos enrolled; in brackets, what 95 % of other draws of
people would give. Groups are small: look at the number of people, and at the brackets.
"""

_TRAIN = (
    "These are the training people of LFW: there are more of them, but an embedder of our own "
    "has seen them, so only the differences between the groups say something."
)

_TRUST = """
## How far to trust these figures

Weight and neighbours of the hubness correction, that a person is kept as one mean, and of the
embedder the light, the smoothing, the scales and how much of its last training is kept, were
chosen on the same val faces and celebrity probes that stability, hub share and identification
are reported on: those rows are somewhat optimistic.

The celebrities' photos were chosen by a face embedding when that data set was made, so they are
found more easily than people elsewhere; and the embedder learnt from their gallery photos, but
for {celebrities_held_out:g} of the {celebrities:g} people, though never from the photos that ask.
How well people are found whom it never saw is in the rows "held out", and in the open set.
"""

_ENOUGH_PEOPLE = 10
_ENOUGH_PAIRS = 1000


def write_card(path: Path, measured: Evaluation, about: Mapping[str, object]) -> None:
    """Writes the card."""
    figures, tables = measured.figures, measured.tables
    meant = [(_MEANINGS[key], f"{figures[key]:g}") for key in _MEANINGS if key in figures]
    text = _HEAD.format(**about) + _table(("", ""), meant) + _stability(figures)
    if "open_set" in tables:
        text += _OPEN_SET.format(**figures) + _listed(tables["open_set"], _OPEN_SET_COLUMNS)
    if "together" in tables:
        text += _TOGETHER + _listed(tables["together"], _TOGETHER_COLUMNS)
    if "reliability" in tables:
        text += _RELIABILITY.format(**figures)
        text += _listed(tables["reliability"], _RELIABILITY_COLUMNS)
    grouped = {name: lines for name, lines in tables.items() if name.startswith("by ")}
    if grouped:
        text += _GROUPS + "".join(_group(name, lines) for name, lines in grouped.items())
    if "celebrities" in figures:
        text += _TRUST.format(**figures)
    path.write_text(text, encoding="utf-8")


def _stability(figures: MatcherFigures) -> str:
    prefix = "same_best_"
    changes = [key.removeprefix(prefix) for key in figures if key.startswith(prefix)]
    if not changes:
        return ""
    head = ("changed by", "same best celebrity", "one of the best three shared")
    lines = [
        (
            change.replace("_", " "),
            f"{figures[f'same_best_{change}']:.1%}",
            f"{figures[f'share_one_of_three_{change}']:.1%}",
        )
        for change in changes
    ]
    return _STABILITY.format(**figures) + _table(head, lines)


def _group(name: str, lines: Sequence[Line]) -> str:
    head = [
        "group",
        "people",
        "with two photos",
        "same pairs",
        "different pairs",
        "true accepts",
        "false accepts",
        "rank 1",
    ]
    with_errors = "calibration_error" in lines[0]
    if with_errors:
        head += ["error of P(same)", "by chance"]
    rows = []
    for line in lines:
        row = [
            *_cells([line], (("group", "{}"), ("people", "{}"), ("people_with_two_photos", "{}")))[
                0
            ],
            *_cells([line], (("same_pairs", "{:,}"), ("different_pairs", "{:,}")))[0],
            _interval(line, "true_accept_rate"),
            *_cells([line], (("false_accept_rate", "{:.2%}"),))[0],
            _interval(line, "rank_1"),
        ]
        if with_errors:
            keys = (("calibration_error", "{:.3f}"), ("calibration_chance", "{:.3f}"))
            row += _cells([line], keys)[0]
        rows.append(row)
    title = name[:1].upper() + name[1:].replace(", train", ", training people")
    note = f"\n{_TRAIN}\n" if name.endswith(", train") else ""
    return f"\n### {title}\n{note}\n{_table(head, rows)}\n{_gaps(lines)}\n"


def _gaps(lines: Sequence[Line]) -> str:
    """The widest gaps between groups that are large enough to say something."""

    def mated(line: Line) -> bool:
        return float(line["people_with_two_photos"]) >= _ENOUGH_PEOPLE

    def paired(line: Line) -> bool:
        return float(line["different_pairs"]) >= _ENOUGH_PAIRS

    kinds: tuple[tuple[str, str, Callable[[Line], bool]], ...] = (
        ("true_accept_rate", "true accepts", mated),
        ("false_accept_rate", "false accepts", paired),
        ("rank_1", "rank 1", mated),
    )
    sentences = []
    for key, words, enough in kinds:
        groups = [line for line in lines[1:] if key in line and enough(line)]
        if len(groups) > 1:
            low = min(groups, key=lambda line: float(line[key]))
            high = max(groups, key=lambda line: float(line[key]))
            digits = 2 if key == "false_accept_rate" else 1
            sentences.append(
                f"{words} from {float(low[key]):.{digits}%} ({low['group']}) "
                f"to {float(high[key]):.{digits}%} ({high['group']})"
            )
    left_out = [str(line["group"]) for line in lines[1:] if not mated(line)]
    text = f"Gaps: {'; '.join(sentences)}." if sentences else "No two groups are large enough."
    if left_out:
        text += (
            f" Too few people with two photos to say anything of true accepts and rank 1: "
            f"{', '.join(left_out)}."
        )
    return text


def _listed(
    lines: Sequence[Mapping[str, float | str]], columns: Sequence[tuple[str, str, str]]
) -> str:
    """A table whose columns have a head, a key and a format each."""
    head = [name for name, _, _ in columns]
    return _table(head, _cells(lines, [(key, pattern) for _, key, pattern in columns]))


def _interval(line: Line, key: str) -> str:
    if key not in line:
        return "-"
    if float(line["people_with_two_photos"]) < _ENOUGH_PEOPLE:
        # Draws of so few people are all alike.
        return f"{float(line[key]):.1%}"
    values = [float(line[name]) for name in (key, f"{key}_low", f"{key}_high")]
    return "{:.1%} ({:.0%} to {:.0%})".format(*values)


def _cells(
    lines: Sequence[Mapping[str, float | str]], formats: Sequence[tuple[str, str]]
) -> list[list[str]]:
    return [
        [pattern.format(line[key]) if key in line else "-" for key, pattern in formats]
        for line in lines
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"
