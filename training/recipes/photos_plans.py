"""The stages of the bundle "photos", and the runs that its card compares it with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from training.config import TrainConfig

__all__ = ["DECODING", "DISTILLED", "LADDER", "LITE2", "STAGES"]

DECODING: Mapping[str, Any] = {"beam_size": 3, "max_length": 20, "length_penalty": 0.7}

_ATTENTION = TrainConfig(
    epochs=4,
    photos_per_batch=24,
    learning_rate=1e-3,
    weight_decay=0.02,
    ema=0.995,
    patience=5,
    precision="bfloat16",
    decoder_options={"dropout": 0.4},
)

_SELF_CRITICAL = TrainConfig(
    epochs=0,
    self_critical_epochs=8,
    photos_per_batch=32,
    max_length=16,
    self_critical_learning_rate=2e-4,
    weight_decay=0.02,
    ema=0.98,
    patience=6,
    precision="bfloat16",
    decoder_options={"dropout": 0.2},
)

STAGES: Mapping[str, TrainConfig] = {
    "attention": _ATTENTION,
    "fine-tuned": replace(
        _ATTENTION,
        epochs=6,
        photos_per_batch=16,
        learning_rate=4e-4,
        encoder_learning_rate=7e-5,
        fine_tune=("backbone.layer3", "backbone.layer4"),
        crop=0.75,
        ema=0.998,
    ),
    "self-critical": _SELF_CRITICAL,
    "self-critical-tuned": replace(
        _SELF_CRITICAL,
        self_critical_epochs=10,
        photos_per_batch=24,
        self_critical_learning_rate=1e-4,
        encoder_learning_rate=2e-5,
        fine_tune=("backbone.layer3", "backbone.layer4"),
        crop=0.7,
        ema=0.996,
        decoder_options={"dropout": 0.3},
    ),
}
"""Each stage starts from the best weights of the one before it."""

LITE2: Mapping[str, TrainConfig] = {
    "efficientnet-lite2": replace(_ATTENTION, encoder="efficientnet-lite2"),
    "efficientnet-lite2-self-critical": replace(_SELF_CRITICAL, encoder="efficientnet-lite2"),
}
"""The same with another encoder, left as it is; the second starts from the first."""

DISTILLED = "distilled"
"""The rung whose encoder was first taught by EfficientNet-Lite2, on photos without captions."""

LADDER: Mapping[str, TrainConfig] = {
    "pooled": replace(_ATTENTION, decoder="pooled"),
    "merge": replace(_ATTENTION, decoder="merge"),
    "widened": replace(_ATTENTION, encoder="resnet50-widened"),
    DISTILLED: _ATTENTION,
    "transformer": replace(_ATTENTION, decoder="transformer", decoder_options={"dropout": 0.3}),
}
"""All with a frozen ResNet-50: half-width, or widened by copying channels (Net2Net)."""
