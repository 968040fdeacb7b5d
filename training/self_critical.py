"""An epoch of self-critical training: sampled captions, rewarded by CIDEr-D.

Rennie et al. 2017, with the mean of a photo's other samples as the baseline (Luo 2020). The end
of a caption counts as a word of it, in the reward as in the gradient, or captions would break off.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import torch

from model_server.captioning.networks import ImageCaptioningModel
from model_server.captioning.vocabulary import END, Vocabulary
from training.batches import Batch
from training.cider import CiderReward
from training.config import TrainConfig
from training.dataset import CaptionedPhotos
from training.objective import rows_of, sample_captions
from training.optimization import Optimization
from training.runtime import Runtime

__all__ = ["reward_of", "self_critical_epoch"]


def reward_of(data: CaptionedPhotos, vocabulary: Vocabulary) -> CiderReward:
    """CIDEr-D against the captions of the photos to learn from, their ends counted."""
    return CiderReward(
        {
            name: [[*vocabulary.encode(text), END] for text in texts]
            for name, texts in data.captions.items()
        }
    )


def self_critical_epoch(
    model: ImageCaptioningModel,
    batches: Iterable[Batch],
    optimization: Optimization,
    *,
    reward: CiderReward,
    config: TrainConfig,
    runtime: Runtime,
    live: bool,
) -> dict[str, Any]:
    """Goes through all photos once.

    Args:
        model: In the mode in which it samples.
        batches: Of the epoch; their captions are not read.
        optimization: Of the weights.
        reward: Of captions as token numbers.
        config: Rate, samples a photo, longest caption.
        runtime: Where to compute.
        live: Whether batches hold images; otherwise they hold the encoder's regions.

    Returns:
        Mean "loss", mean "reward", and the seconds "waited" for batches.
    """
    rewards, losses, waited = [], [], 0.0
    clock = time.perf_counter()
    for batch in batches:
        waited += time.perf_counter() - clock
        optimization.set_rate(1.0, config.self_critical_learning_rate)
        pixels = batch.pixels.to(runtime.device)
        with runtime.autocast():
            regions = model.encoder(pixels) if live else pixels
            tokens, chances = sample_captions(model, regions, config.samples, config.max_length)
        names = [name for name in batch.names for _ in range(config.samples)]
        earned = torch.from_numpy(reward(names, rows_of(tokens))).view(-1, config.samples)
        others = (earned.sum(1, keepdim=True) - earned) / (config.samples - 1)
        advantage = (earned - others).view(-1, 1).to(runtime.device)
        words = (tokens != 0).float()
        loss = -(advantage * chances * words).sum() / words.sum()
        losses.append(optimization.learn(loss, share=runtime.world > 1))
        rewards.append(float(earned.mean()))
        clock = time.perf_counter()
    return {
        "loss": sum(losses) / len(losses),
        "reward": sum(rewards) / len(rewards),
        "waited": round(waited, 3),
    }
