"""Distils a teacher's features into a student encoder, on photos without captions.

The student's pooled features, through a linear layer, are to point where the teacher's do
(Romero et al. 2015's hints, with the cosine as distance).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the field's name for it)

from model_server.analysis import Image
from model_server.captioning.networks import CNNEncoder, ResNet
from model_server.imaging import Preprocessing, preprocess
from training.batches import ahead
from training.checkpoint import save_checkpoint
from training.encoders import build_encoder
from training.optimization import NonFiniteLossError, cosine
from training.photos import Photos
from training.runtime import Runtime, start_runtime
from training.widen import WIDENING_NOISE, widen_resnet

__all__ = ["DistilConfig", "distil"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DistilConfig:
    """Choices of a distillation.

    Attributes:
        teacher: Encoder to learn from.
        teacher_weights: As in training.encoders.
        student: Encoder that learns.
        student_weights: Likewise.
        widen: Whether the student (a ResNet) is first widened to twice its width.
        epochs: Through all photos.
        batch: Photos a step.
        learning_rate: At its peak.
        precision: "float32" or "bfloat16".
        seed: Of everything random.
        threads: CPU threads; 0 leaves it to torch.
    """

    teacher: str = "efficientnet-lite2"
    teacher_weights: str = "best"
    student: str = "resnet50-half"
    student_weights: str = "best"
    widen: bool = False
    epochs: int = 5
    batch: int = 32
    learning_rate: float = 2e-4
    precision: str = "float32"
    seed: int = 0
    threads: int = 0

    @property
    def result(self) -> str:
        """The encoder by whose name the student is used afterwards."""
        if not self.widen:
            return self.student
        if self.student not in WIDENED:
            raise ValueError(f"{self.student} cannot be widened; {', '.join(WIDENED)} can")
        return WIDENED[self.student]


WIDENED = {"resnet50-half": "resnet50-widened"}
"""What an encoder is called once it is widened."""


def distil(folder: Path, config: DistilConfig, photos: Photos) -> list[float]:
    """Trains the student; an interrupted run goes on at the last finished epoch.

    Args:
        folder: For student.pt (which ``encoder_weights`` takes) and history.json.
        config: All choices.
        photos: Any photos at all.

    Returns:
        Mean distance (1 - cosine) per epoch.

    Raises:
        NonFiniteLossError: Training broke down.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with start_runtime(config.precision, config.threads, config.seed) as runtime:
        return _Distillation(folder, config, photos, runtime).run()


class _Distillation:
    def __init__(
        self, folder: Path, config: DistilConfig, photos: Photos, runtime: Runtime
    ) -> None:
        self.folder, self.config, self.photos, self.runtime = folder, config, photos, runtime
        teacher, self.teacher_input = build_encoder(config.teacher, config.teacher_weights)
        student, self.student_input = build_encoder(config.student, config.student_weights)
        result = config.result  # or an error, before anything is computed
        if config.widen and isinstance(student.backbone, ResNet):
            wide = widen_resnet(student.backbone, noise=WIDENING_NOISE, seed=config.seed)
            student = CNNEncoder(wide, wide.channels)
        _log.info("the student will be %s", result)
        self.teacher = teacher.eval().to(runtime.device)
        self.student = student.eval().to(runtime.device)  # BatchNorm keeps its statistics
        self.bridge = nn.Linear(student.channels, teacher.channels).to(runtime.device)
        self.optimizer = torch.optim.AdamW(
            [*self.student.parameters(), *self.bridge.parameters()], lr=config.learning_rate
        )
        self.history: list[float] = []
        self._resume()

    def _resume(self) -> None:
        file = self.folder / "last.pt"
        if file.exists():
            content = torch.load(file, map_location=self.runtime.device, weights_only=False)
            old = {**content["config"], "epochs": 0, "threads": 0}
            if old != {**asdict(self.config), "epochs": 0, "threads": 0}:
                raise ValueError(f"{self.folder} holds another distillation")
            self.student.load_state_dict(content["student"])
            self.bridge.load_state_dict(content["bridge"])
            self.optimizer.load_state_dict(content["optimizer"])
            self.history = content["history"]

    def run(self) -> list[float]:
        names = list(self.photos.names)
        steps = max(1, len(names) // self.config.batch)
        for epoch in range(len(self.history), self.config.epochs):
            distances = []
            for step, (theirs, own) in enumerate(self._batches(names, epoch)):
                for group in self.optimizer.param_groups:
                    done = epoch * steps + step
                    group["lr"] = self.config.learning_rate * cosine(
                        done, steps * self.config.epochs, 0.05
                    )
                distances.append(self._step(theirs, own))
            self.history.append(sum(distances) / len(distances))
            self._save()
            _log.info("epoch %d: distance %.4f", epoch, self.history[-1])
        return self.history

    def _batches(self, names: Sequence[str], epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        order = np.random.default_rng((self.config.seed, epoch)).permutation(len(names))
        size = self.config.batch

        def make() -> Iterator[tuple[Tensor, Tensor]]:
            for start in range(0, max(1, len(order) // size) * size, size):
                images = [self.photos.open(names[i]) for i in order[start : start + size]]
                mirrored = (epoch + start // size) % 2 == 1
                views = [image[:, ::-1] if mirrored else image for image in images]
                yield (
                    self._pixels(views, self.teacher_input),
                    self._pixels(views, self.student_input),
                )

        return ahead(make)

    @staticmethod
    def _pixels(images: Sequence[Image], spec: Preprocessing) -> Tensor:
        return torch.from_numpy(
            np.stack([preprocess(np.ascontiguousarray(image), spec) for image in images])
        )

    def _step(self, theirs: Tensor, own: Tensor) -> float:
        device = self.runtime.device
        with self.runtime.autocast():
            with torch.no_grad():
                wanted = self.teacher(theirs.to(device)).mean(1)
            given = self.bridge(self.student(own.to(device)).mean(1))
        distance = 1 - F.cosine_similarity(given.float(), wanted.float(), dim=-1).mean()
        if not torch.isfinite(distance):
            raise NonFiniteLossError("the distance is no number any more")
        self.optimizer.zero_grad(set_to_none=True)
        distance.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimizer.step()
        return float(distance.detach())

    def _save(self) -> None:
        save_checkpoint(
            self.folder / "student.pt",
            {"encoder": self.config.result, "weights": self.student.state_dict()},
        )
        save_checkpoint(
            self.folder / "last.pt",
            {
                "student": self.student.state_dict(),
                "bridge": self.bridge.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "history": self.history,
                "config": asdict(self.config),
            },
        )
        text = json.dumps(self.history)
        (self.folder / "history.json").write_text(text + "\n", encoding="utf-8")
