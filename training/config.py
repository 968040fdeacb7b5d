"""What a training run is made of: one JSON file, read strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

__all__ = ["TrainConfig"]


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """All choices of a run; it is stored beside the weights.

    Attributes:
        encoder: Name of the encoder, see training.encoders.
        encoder_weights: "best", "imagenet", "package", "none" or a file.
        decoder: "pooled", "merge", "attention" or "transformer".
        decoder_options: Passed to the decoder, such as {"hidden": 512}.
        min_count: Words rarer than this become <UNK>.
        max_length: Words of a training caption at the most; the rest is cut off.
        photos_per_batch: Every photo comes with all its captions.
        epochs: Of teacher forcing, at the most.
        learning_rate: Of the decoder, at its peak.
        encoder_learning_rate: Of the encoder's tuned parts.
        fine_tune: Prefixes of the encoder's parameters that are tuned, such as
            ["backbone.layer4"]; none: the encoder is frozen and its features are cached.
        crop: Smallest share of each side that a random crop keeps while the encoder is tuned.
        warmup: Share of the steps in which the learning rate rises; then it falls as a cosine.
        weight_decay: Of AdamW, on matrices only.
        clip: Largest norm of the gradient.
        label_smoothing: Probability given to all other words.
        scheduled_sampling: Share of words replaced by the model's own in the last epoch; rises
            from 0 (Bengio et al. 2015; both passes in parallel as in Mihaylova & Martins 2019).
        ema: Decay of the running mean of the weights, which is what is evaluated and kept.
        patience: Epochs without a better CIDEr after which a phase ends.
        precision: "float32", "bfloat16" (CPU and CUDA).
        seed: Of everything random.
        threads: CPU threads; 0 leaves it to torch.
        self_critical_epochs: Of training on CIDEr-D (Rennie et al. 2017), from the best weights
            that teacher forcing reached.
        self_critical_learning_rate: Then.
        samples: Captions sampled per photo, two or more; each one's baseline is the mean of
            the others.
        start_from: Checkpoint whose weights training begins with.

    Raises:
        ValueError: Self-critical training would have fewer than two samples.
    """

    encoder: str = "resnet50-half"
    encoder_weights: str = "best"
    decoder: str = "attention"
    decoder_options: Mapping[str, Any] = field(default_factory=dict)
    min_count: int = 5
    max_length: int = 20
    photos_per_batch: int = 64
    epochs: int = 15
    learning_rate: float = 1e-3
    encoder_learning_rate: float = 5e-5
    fine_tune: tuple[str, ...] = ()
    crop: float = 0.8
    warmup: float = 0.05
    weight_decay: float = 0.01
    clip: float = 1.0
    label_smoothing: float = 0.1
    scheduled_sampling: float = 0.0
    ema: float = 0.99
    patience: int = 4
    precision: str = "float32"
    seed: int = 0
    threads: int = 0
    self_critical_epochs: int = 0
    self_critical_learning_rate: float = 5e-5
    samples: int = 5
    start_from: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "fine_tune", tuple(self.fine_tune))
        if self.self_critical_epochs and self.samples < 2:
            raise ValueError("samples is 2 or more: each caption is compared with the others")

    @classmethod
    def load(cls, file: Path) -> TrainConfig:
        """Reads a JSON file.

        Raises:
            ValueError: It has a key that there is not, so a misspelt option is never ignored.
        """
        return cls.from_dict(json.loads(file.read_text(encoding="utf-8")))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """As :meth:`load`."""
        unknown = set(values) - {item.name for item in fields(cls)}
        if unknown:
            raise ValueError(f"no training option is called {', '.join(sorted(unknown))}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "fine_tune": list(self.fine_tune)}

    def save(self, file: Path) -> None:
        """Writes a JSON file."""
        file.write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")

    def changed(self, **values: Any) -> TrainConfig:
        """The same with some other values."""
        return replace(self, **values)
