"""The model card of a bundle that is exported by hand, made from what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.bias import render_bias_table
from training.config import TrainConfig

__all__ = ["bundle_card"]

_METRICS = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l", "cider")


def bundle_card(
    name: str,
    license_: str,
    config: TrainConfig,
    *,
    data: Mapping[str, str],
    metrics: Mapping[str, Mapping[str, Any]],
    bias: Mapping[str, Mapping[str, int]] | None,
) -> str:
    """MODEL_CARD.md.

    Args:
        name: Of the bundle.
        license_: Of its weights.
        config: Of the run.
        data: Split → what it is, in a line.
        metrics: Summaries of evaluations, "fp32" and each precision that was tried; none where
            there were no held-out photos.
        bias: As training.bias counts it, of the captions as served.
    """
    tuned = ", ".join(config.fine_tune) or "nothing"
    lines = [
        f"# {name}: a caption for a photo",
        "",
        f"Encoder: {config.encoder}, at first with the weights called {config.encoder_weights}.",
        f"Tuned of it: {tuned}. Decoder: {config.decoder}.",
        f"Licence of the weights: {license_}. Every option is in `bundle.json`.",
        "",
        "## Data",
        "",
        *(f"* {split}: {text}" for split, text in data.items()),
        "",
        "## Scores",
        "",
        *_scores(metrics),
        "",
        "## Women and men",
        "",
        *_bias(bias),
        "",
        "## Limits",
        "",
        "It knows what its training photos show and the words of their captions; anything else",
        "gets the nearest words it knows. It guesses gender, age, colours and numbers by looks,",
        "as the people did who wrote the captions.",
        "",
    ]
    return "\n".join(lines)


def _scores(metrics: Mapping[str, Mapping[str, Any]]) -> list[str]:
    if not metrics:
        return ["None: it was exported without held-out photos, and int8 was not compared."]
    shown = [key for key in _METRICS if any(key in row["metrics"] for row in metrics.values())]
    first = next(iter(metrics.values()))
    search = ", ".join(f"{key} {value}" for key, value in first["decoding"].items())
    lines = [
        f"On {first['photos']} held-out photos, by which the best epoch was chosen; {search}.",
        "",
        "| encoder | " + " | ".join(key.replace("_", "-") for key in shown) + " |",
        "|---|" + "---|" * len(shown),
    ]
    for precision, row in metrics.items():
        cells = (f"{row['metrics'][key]:.3f}" if key in row["metrics"] else "-" for key in shown)
        lines.append(f"| {precision} | " + " | ".join(cells) + " |")
    last, row = list(metrics.items())[-1]
    lines += [
        "",
        f"Served: {last}. Different captions: {row['distinct']:.1%}; "
        f"broken-off endings: {row['bad_endings']:.1%}"
        + (f"; copied from training: {row['copied']:.1%}" if row["copied"] is not None else "")
        + ".",
    ]
    return lines


def _bias(bias: Mapping[str, Mapping[str, int]] | None) -> list[str]:
    if bias is None:
        return ["Not counted: there were no held-out photos."]
    return [
        "What most captions of a held-out photo say, and what the captioner says of it.",
        "",
        render_bias_table(bias),
    ]
