"""An epoch of teacher forcing: the next word of what people wrote."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from training.batches import Batch
from training.config import TrainConfig
from training.optimization import Optimization, cosine
from training.runtime import Runtime

__all__ = ["teacher_forcing_epoch"]


def teacher_forcing_epoch(
    loss: nn.Module,
    batches: Iterable[Batch],
    optimization: Optimization,
    *,
    config: TrainConfig,
    runtime: Runtime,
    steps: int,
) -> dict[str, Any]:
    """Goes through all photos once.

    Args:
        loss: A :class:`training.objective.CaptionLoss`, on each process the same.
        batches: Of the epoch.
        optimization: Of the weights.
        config: Rate and scheduled sampling.
        runtime: Where to compute.
        steps: In an epoch, for the learning rate.

    Returns:
        Mean "loss", and the seconds "waited" for batches.
    """
    epoch = optimization.progress.epoch
    sampling = config.scheduled_sampling * epoch / max(1, config.epochs - 1)
    losses, waited = [], 0.0
    clock = time.perf_counter()
    for batch in batches:
        waited += time.perf_counter() - clock
        rate = cosine(optimization.progress.step, steps * config.epochs, config.warmup)
        optimization.set_rate(rate)
        pixels = batch.pixels.to(runtime.device)
        if pixels.dim() == 4:
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        tokens, targets = batch.tokens.to(runtime.device), batch.targets.to(runtime.device)
        with runtime.autocast():
            value = loss(pixels, tokens, targets, sampling)
        losses.append(optimization.learn(value))
        clock = time.perf_counter()
    return {"loss": sum(losses) / len(losses), "waited": round(waited, 3)}
