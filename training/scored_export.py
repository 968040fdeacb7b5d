"""A checkpoint into a scored bundle, with its model card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from training.bias import bias_table
from training.card import bundle_card
from training.checkpoint import load_model
from training.dataset import CaptionedPhotos, check_leakage
from training.evaluate import Evaluation, evaluate, open_candidate
from training.export import BundleFacts, complete_bundle, export_bundle, sample_photos
from training.precision import choose_precision

__all__ = ["export_scored"]


def export_scored(
    folder: Path,
    checkpoint: Path,
    facts: BundleFacts,
    data: CaptionedPhotos,
    held_out: CaptionedPhotos | None,
    *,
    calibrate: int = 300,
    keep_weights: bool = True,
) -> str:
    """Writes a bundle; in fp16 where int8 costs more than 1 % of fp32's CIDEr-D.

    Args:
        folder: Of the bundle.
        checkpoint: best.pt of a run.
        facts: For bundle.json; data, scores and card are added.
        data: What the run learnt from.
        held_out: To score fp32 and the bundle on; none: int8 is taken as it is.
        calibrate: Training photos for int8; 0: fp16.
        keep_weights: Whether to add weights.safetensors.

    Returns:
        Precision of the encoder, "int8" or "fp16".

    Raises:
        LeakageError: A held-out photo is among those that the run learnt from.
    """
    if held_out:
        check_leakage(data, held_out)
    model, vocabulary, preprocessing, config, _ = load_model(checkpoint)
    splits = {"train": data} | ({"held out": held_out} if held_out else {})
    facts = replace(facts, data={split: part.digest for split, part in splits.items()})
    photos = sample_photos(data.photos, data.names, calibrate)
    known = [text for texts in data.captions.values() for text in texts]

    def write(precision: str) -> None:
        calibration = photos if precision == "int8" else ()
        export_bundle(
            folder,
            model,
            vocabulary,
            preprocessing,
            facts,
            calibration=calibration,
            keep_weights=keep_weights,
        )

    def score(where: Path) -> Evaluation:
        candidate = open_candidate(str(where), **facts.decoding)
        return evaluate(candidate, held_out or data, training_captions=known)

    scores: dict[str, Evaluation] = {}
    precision = "int8" if photos else "fp16"
    if held_out:
        scores["fp32"] = score(checkpoint)
    if held_out and photos:
        choice = choose_precision(
            write,
            lambda: score(folder),
            value=lambda result: result.metrics["cider"],
            reference=scores["fp32"].metrics["cider"],
        )
        precision, scores = choice.precision, {**scores, **choice.scores}
    else:
        write(precision)
        if held_out:
            scores[precision] = score(folder)
    metrics: dict[str, dict[str, Any]] = {
        name: {**result.summary(), "candidate": f"{facts.name}, {name}"}
        for name, result in scores.items()
    }
    captions = scores[precision].captions if held_out else None
    card = bundle_card(
        facts.name,
        facts.license,
        config,
        data={
            split: f"{len(part.names)} photos, {sum(map(len, part.captions.values()))} captions, "
            f"digest {part.digest}"
            for split, part in splits.items()
        },
        metrics=metrics,
        bias=bias_table(held_out.captions, captions) if held_out and captions else None,
    )
    complete_bundle(folder, {**facts.metrics, **metrics}, card)
    return precision
