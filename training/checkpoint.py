"""Checkpoints: everything a killed run needs to go on as if nothing had happened."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from model_server.captioning.networks import CNNEncoder, ImageCaptioningModel, build_decoder
from model_server.captioning.vocabulary import Vocabulary
from model_server.imaging import Preprocessing
from training.config import TrainConfig
from training.encoders import ENCODERS, build_encoder

__all__ = [
    "MovingAverage",
    "check_same_run",
    "load_model",
    "save_checkpoint",
]


class MovingAverage:
    """Exponential moving average of what is trained (Polyak averaging with a short start)."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.values = {
            name: parameter.detach().clone()
            for name, parameter in module.named_parameters()
            if parameter.requires_grad
        }

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Moves towards the module's present weights."""
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 10))
        for name, parameter in module.named_parameters():
            if name in self.values:
                self.values[name].lerp_(parameter.detach(), 1 - decay)

    @torch.no_grad()
    def swap(self, module: nn.Module) -> None:
        """Exchanges the module's weights and the average; twice gives back what was."""
        for name, parameter in module.named_parameters():
            if name in self.values:
                mine = self.values[name].clone()
                self.values[name].copy_(parameter)
                parameter.copy_(mine)


def check_same_run(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Makes sure that a run goes on as it began.

    Args:
        folder: Of the run.
        old: What it was made of, by name.
        new: What it would go on with; every one must be as it was.

    Raises:
        ValueError: Says what differs.
    """
    changed = sorted(name for name in new if old.get(name) != new[name])
    if changed:
        raise ValueError(f"{folder} holds another run: {', '.join(changed)} differ")


def save_checkpoint(file: Path, content: dict[str, Any]) -> None:
    """Writes to a neighbouring file first, so that a kill never leaves half a checkpoint."""
    partial = file.with_suffix(".partial")
    torch.save(content, partial)
    os.replace(partial, file)  # noqa: PTH105 (atomic, also over an existing file)


def load_model(
    file: Path, vocabulary: Vocabulary | None = None
) -> tuple[ImageCaptioningModel, Vocabulary, Preprocessing, TrainConfig, dict[str, Any]]:
    """Makes the model of a checkpoint, in evaluation mode.

    Args:
        file: best.pt or last.pt of a run.
        vocabulary: The one to use; by default the checkpoint's own.

    Raises:
        ValueError: ``vocabulary`` is of another run.
    """
    content = torch.load(file, map_location="cpu", weights_only=False)
    own = Vocabulary(content["vocabulary"])
    if vocabulary is not None and vocabulary.digest != own.digest:
        raise ValueError(
            f"{file} was trained with vocabulary {own.digest}, not with {vocabulary.digest}"
        )
    config = TrainConfig.from_dict(content["config"])
    spec = ENCODERS[config.encoder]
    encoder, _ = build_encoder(config.encoder, "none")
    decoder = build_decoder(config.decoder, len(own), spec.channels, **config.decoder_options)
    model = ImageCaptioningModel(CNNEncoder(encoder.backbone, spec.channels), decoder)
    model.load_state_dict(content["model"])
    return model.eval(), own, Preprocessing.from_manifest(content["preprocessing"]), config, content
