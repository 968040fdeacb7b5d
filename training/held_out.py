"""Captions of the held-out photos after each epoch, and what they are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from model_server.captioning.networks import ImageCaptioningModel
from model_server.captioning.vocabulary import END, START, Vocabulary
from training.batches import PhotoSource
from training.metrics import score_captions
from training.runtime import Runtime

__all__ = ["greedy_captions", "greedy_scores"]


@torch.inference_mode()
def greedy_captions(
    model: ImageCaptioningModel,
    vocabulary: Vocabulary,
    names: Sequence[str],
    source: PhotoSource,
    runtime: Runtime,
    *,
    live: bool,
    max_length: int,
    batch: int = 64,
) -> dict[str, str]:
    """Greedy captions, which cost a fraction of a beam search and rank epochs as well.

    Args:
        model: Put into evaluation mode.
        vocabulary: Of its words.
        names: Photos.
        source: Of their pixels.
        runtime: Where to compute.
        live: Whether the source holds images; otherwise it holds the encoder's regions.
        max_length: Words at the most.
        batch: Photos at a time.
    """
    model.eval()
    captions: dict[str, str] = {}
    for start in range(0, len(names), batch):
        chosen = names[start : start + batch]
        pixels = source.read(chosen, None).to(runtime.device)
        with runtime.autocast():
            regions = model.encoder(pixels) if live else pixels
            tokens = model.greedy(regions, START, END, max_length)
        for name, row in zip(chosen, tokens.tolist(), strict=True):
            captions[name] = vocabulary.decode(row)
    return captions


def greedy_scores(
    references: Mapping[str, Sequence[str]], captions: Mapping[str, str]
) -> Mapping[str, float]:
    """BLEU, ROUGE-L and CIDEr-D of captions; no METEOR, which needs Java."""
    words = {name: " ".join(text.split()) for name, text in captions.items()}
    return score_captions(references, words).metrics
