"""The model card of the bundle "faces", made from its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["model_card"]


def model_card(manifest: Mapping[str, Any]) -> str:
    """MODEL_CARD.md.

    Args:
        manifest: Of the bundle; its metrics are results of evaluate_faces, "fp32" and "served".
    """
    served, reference = manifest["metrics"]["served"], manifest["metrics"]["fp32"]
    training, size = manifest["training"], manifest["preprocessing"]
    precision = ", ".join(f"{value} {part}" for part, value in manifest["precision"].items())
    rows = [
        ("attribute head at its best thresholds", served["classifier"]),
        ("attribute head at 0.5", served["classifier_at_half"]),
        ("captioner, torch fp32", reference["captioner"]),
        (
            f"**captioner as served: {precision}, OpenVINO**",
            served["captioner"],
        ),
        ("the one best caption for all", served["constant"]),
    ]
    table = "\n".join(
        f"| {title} | " + " | ".join(_cell(row.get(key)) for key in _KEYS) + " |"
        for title, row in rows
    )
    values = "\n".join(
        f"| {name} | {f1:.2f} |"
        for name, f1 in sorted(served["captioner"]["f1"].items(), key=lambda item: -item[1])
    )
    groups = "\n".join(
        f"| {name} | {row['captions']} | {row['micro_f1']:.3f} | {row['macro_f1']:.3f} "
        f"| {row['attributes_per_caption']:.1f} |"
        for name, row in served["groups"].items()
    )
    steps = "\n".join(
        f"* {name}: the last {options['stages']} of 4 stages, {options['epochs']} epochs, "
        f"{options['views']} views of each portrait"
        for name, options in training["encoder"].items()
    )
    ratios = served["ratios"]
    return f"""# faces

Describes one face: "oval face, bushy eyebrows, brown hair, slight smile".

Half-width ResNet-50 (first weights: Yahoo's open_nsfw, BSD-2-Clause; its last stages then tuned
on faces) and an LSTM that reads the words, to which the pooled face is added (the merge decoder of
Tanti et al. 2018): what there is to say of a face is not a matter of where to look. Input: a
portrait aligned by five landmarks, {size["height"]} x {size["width"]}. Output: a description in
a fixed grammar (model_server/captioning/face_grammar.py), from which the attributes can be
parsed back.

## What it says, and what it does not

Face shape, jawline, forehead, eyebrows, eyes, nose, cheekbones, lips, hair, beard, glasses, hat,
expression, age group. It says nothing of gender, attractiveness, weight, skin or ethnicity, by
design: the grammar has no words for them. It does not know who somebody is.

## Data

Labeled Faces in the Wild, training people only; nothing was trained on validation people.
Labels are not human: attribute scores by FaRL (trained on CelebA), cut by rank with the
uncertain middle left out, and measures of MediaPipe's face mesh, freed of pose and expression
by regression and averaged over a person's photos. So the figures below say how well the labels
are reproduced, not how well people would agree.

## Training

{steps}
* decoder: {training["decoder"]["epochs"]} epochs at the most on the tuned encoder's features;
  its captions are the attribute head's decisions put into words, half of them on mixtures of two
  portraits

`python -m training.recipes.faces` does it all again.

## Scores

{served["faces"]} faces of people not trained on; attributes parsed back from the captions, compared
where the labels are sure.

| | {" | ".join(_KEYS)} |
|---|{"---|" * len(_KEYS)}
{table}

* micro F1: {ratios["micro_f1_to_classifier"]:.3f} of the attribute head's (goal .97)
* macro F1: {ratios["macro_f1_to_constant"]:.1f} times the constant caption's (goal 2)
* contradictions: {served["captioner"]["contradictions"]:.2%} of the captions (goal < 0.5 %)
* distinct captions: {served["captioner"]["distinct"]} (goal 200)

| value | F1 |
|---|---|
{values}

## Whom it serves worse

Groups as FaRL reads the faces, which is itself no more than a guess:

| group | faces | micro F1 | macro F1 | attributes said |
|---|---|---|---|---|
{groups}

LFW shows mostly light-skinned men of 2002 to 2004, politicians, athletes and performers. Shape,
eyes and nose come from geometry that varies little between people: expect them to be wrong often,
and more often for faces unlike those. "full lips" and "prominent nose" follow FaRL and CelebA,
whose annotators named them unevenly across ethnicities. Children are hardly in the data.

## Licence

The first weights are BSD-2-Clause (LICENSE.open_nsfw.txt). LFW's photographs are for research and
remain their owners'; none is in here.

## How far to trust these figures

{_TRUST.get(manifest["version"], _TRUST_LATER)}"""


_TRUST: Mapping[str, str] = {
    "2": """\
Between versions 1 and 2 the val scores were seen, and the attribute thresholds then became one
common threshold, fitted on held-out training people: the ratio to the attribute head went from
.9675 to .970, with .97 as the aim. So it passes only just, and not quite blindly. The recipe ran
in resumable parts, never once from scratch in one go.

The labels were standardised over all faces, those of the validation people among them; since
then it is done over the training faces only.

The figures above are of portraits aligned by an earlier version of the detector. With
detector-5's landmarks, which are steadier, the served captioner has micro F1 0.730, macro F1
0.661, no contradictions and 955 distinct captions of 1,206 (`lookalike-train faces evaluate
--data LFW`); the attribute head was not asked again.
"""
}
"""What is to be known of the figures of a version, beside what its manifest holds."""

_TRUST_LATER = """\
How the attribute thresholds are fitted was chosen after the val scores of versions 1 and 2 had
been seen, so the comparison with the attribute head is not quite blind.
"""

_KEYS = ("micro_f1", "macro_f1", "precision", "recall", "contradictions", "distinct")


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
