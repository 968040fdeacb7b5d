"""The encoder learns attributes: a multi-label head on it, its last stages tuned."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model_server.captioning.networks import CNNEncoder, ResNet
from model_server.imaging import Preprocessing
from training.checkpoint import MovingAverage, check_same_run, save_checkpoint
from training.faces.attributes import AttributeHead, average_precision, masked_loss
from training.faces.portraits import Portraits
from training.faces.trunk import Trunk, cache_trunk
from training.features import weights_digest
from training.optimization import cosine, finite_loss
from training.runtime import cpu_autocast, seed_generators

__all__ = ["TuneOptions", "label_digest", "tune_encoder"]

_log = logging.getLogger(__name__)

Features = npt.NDArray[np.float16]
Table = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """How the encoder is tuned.

    Attributes:
        stages: How many of the last stages are tuned; 0: the head only.
        views: Differently cut copies of each portrait; what the frozen stages make of them is
            computed once and kept on disk.
        epochs: Each goes through every portrait once, in one of its views.
        batch: Portraits at a time.
        learning_rate: Of the stages.
        head_learning_rate: Of the head.
        weight_decay: Of AdamW.
        seed: Of everything random.
        threads: CPU threads.
    """

    stages: int = 1
    views: int = 4
    epochs: int = 12
    batch: int = 64
    learning_rate: float = 3e-4
    head_learning_rate: float = 2e-3
    weight_decay: float = 0.05
    seed: int = 0
    threads: int = 1

    def of_weights(self) -> dict[str, Any]:
        """All choices that the weights depend on."""
        return {name: value for name, value in asdict(self).items() if name != "threads"}


def label_digest(*tables: Mapping[str, Table]) -> str:
    """Twelve hex digits of the rows of labels by portrait."""
    digest = hashlib.sha256()
    for table in tables:
        for name in sorted(table):
            digest.update(name.encode() + table[name].tobytes())
    return digest.hexdigest()[:12]


def tune_encoder(
    encoder: CNNEncoder,
    preprocessing: Preprocessing,
    portraits: Portraits,
    *,
    head: AttributeHead,
    learn: Mapping[str, Table],
    held_out: Mapping[str, Table],
    folder: Path,
    cache: Path,
    options: TuneOptions,
) -> None:
    """Tunes ``encoder`` and ``head`` in place.

    An interrupted run goes on after its last finished epoch.

    Args:
        encoder: A ResNet; its BatchNorm layers keep their statistics.
        preprocessing: Of the encoder.
        portraits: Of faces.
        head: On the encoder's features.
        learn: Portrait → row of the label table, to learn from.
        held_out: Likewise of other people, to choose the best epoch by.
        folder: For the checkpoints and history.json.
        cache: Folder for what the frozen stages make of the portraits.
        options: All choices.

    Raises:
        ValueError: The folder holds a run with other options, weights, portraits or labels.
        NonFiniteLossError: Training broke down.
    """
    assert isinstance(encoder.backbone, ResNet)  # noqa: S101 (for mypy)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    encoder.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    trunk = Trunk(encoder.backbone, options.stages).eval()
    names, dev_names = sorted(learn), sorted(held_out)
    views = [
        cache_trunk(trunk, preprocessing, portraits, names, cache, view=view)
        for view in range(options.views)
    ]
    made_of = {
        **options.of_weights(),
        "began": weights_digest(encoder),
        "portraits": portraits.digest([*names, *dev_names]),
        "labels": label_digest(learn, held_out),
    }
    run = _Run(folder, encoder.backbone, trunk, head, options=options, made_of=made_of)
    targets = torch.from_numpy(np.stack([learn[name] for name in names])).float()
    dev_view = cache_trunk(trunk, preprocessing, portraits, dev_names, cache, view=0)
    dev_table = np.stack([held_out[name] for name in dev_names])
    for epoch in range(len(run.history), options.epochs):
        started = time.perf_counter()
        loss = run.learn(epoch, views, targets)
        run.finish(loss, dev_view, dev_table, started)
    content = torch.load(folder / "best.pt", weights_only=False)
    encoder.backbone.load_state_dict(content["backbone"])
    head.load_state_dict(content["head"])
    head.eval()


class _Run:
    """Weights, optimizer and history of a run; goes on with what ``folder`` holds."""

    def __init__(
        self,
        folder: Path,
        backbone: ResNet,
        trunk: Trunk,
        head: AttributeHead,
        *,
        options: TuneOptions,
        made_of: Mapping[str, Any],
    ) -> None:
        self.folder, self.backbone, self.options = folder, backbone, options
        self.made_of = dict(made_of)
        self.tuned, self.head = trunk.tail, head
        self.whole = nn.ModuleDict({"stages": self.tuned, "head": head})
        for parameter in backbone.parameters():
            parameter.requires_grad = False
        for parameter in self.whole.parameters():
            parameter.requires_grad = True
        groups = [
            {"params": list(self.tuned.parameters()), "peak": options.learning_rate},
            {"params": list(head.parameters()), "peak": options.head_learning_rate},
        ]
        self.optimizer = torch.optim.AdamW(
            [group for group in groups if group["params"]], weight_decay=options.weight_decay
        )
        self.average = MovingAverage(self.whole, 0.995)
        self.history: list[dict[str, float]] = []
        self.best = -1.0
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "last.pt"
        if file.exists():
            content = torch.load(file, weights_only=False)
            check_same_run(folder, content.get("made_of", {}), self.made_of)
            self.whole.load_state_dict(content["whole"])
            self.optimizer.load_state_dict(content["optimizer"])
            self.average.values, self.average.updates = content["average"], content["updates"]
            self.history, self.best = content["history"], content["best"]

    def regions(self, batch: Tensor) -> Tensor:
        """What the tuned stages make of the trunk's features: (N, C, h, w) → (N, K, channels)."""
        x: Tensor = self.tuned(batch.float().contiguous(memory_format=torch.channels_last))
        return x.flatten(2).transpose(1, 2)

    def learn(self, epoch: int, views: Sequence[Features], targets: Tensor) -> float:
        """One epoch; returns its mean loss."""
        options = self.options
        steps = len(targets) // options.batch
        rng = np.random.default_rng((options.seed, epoch))
        order = rng.permutation(len(targets))
        seed_generators(options.seed, epoch)  # for dropout, also after an interruption
        self.head.train()
        losses = []
        for step in range(steps):
            rows = np.sort(order[step * options.batch : (step + 1) * options.batch])
            chosen = rng.integers(options.views, size=len(rows))
            rate = cosine(epoch * steps + step, options.epochs * steps, 0.05, floor=0.02)
            for group in self.optimizer.param_groups:
                group["lr"] = group["peak"] * rate
            batch = torch.from_numpy(
                np.stack([views[view][row] for row, view in zip(rows, chosen, strict=True)])
            )
            with cpu_autocast():
                logits = self.head(self.regions(batch))
            loss = masked_loss(logits.float(), targets[torch.from_numpy(rows)])
            value = finite_loss(loss, epoch * steps + step, self.folder / "last.pt")
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.whole.parameters(), 1.0)
            self.optimizer.step()
            self.average.update(self.whole)
            losses.append(value)
        return float(np.mean(losses))

    @torch.inference_mode()
    def _logits(self, view: Features, batch: int = 64) -> npt.NDArray[np.float32]:
        self.head.eval()
        found = [
            self.head(self.regions(torch.from_numpy(np.array(view[start : start + batch]))))
            for start in range(0, len(view), batch)
        ]
        logits: npt.NDArray[np.float32] = torch.cat(found).numpy()
        return logits

    def finish(self, loss: float, dev_view: Features, dev_table: Table, started: float) -> None:
        """Scores the averaged weights, keeps them where they are the best, writes all files."""
        self.average.swap(self.whole)
        logits = self._logits(dev_view)
        score = average_precision(logits, dev_table)
        entry = {
            "loss": loss,
            "average_precision": score,
            "seconds": round(time.perf_counter() - started, 1),
        }
        self.history.append(entry)
        if score > self.best:
            self.best = score
            best = {"backbone": self.backbone.state_dict(), "head": self.head.state_dict()}
            save_checkpoint(self.folder / "best.pt", {**best, "logits": logits})
        self.average.swap(self.whole)
        content = {
            "whole": self.whole.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.values,
            "updates": self.average.updates,
            "history": self.history,
            "best": self.best,
            "made_of": self.made_of,
        }
        save_checkpoint(self.folder / "last.pt", content)
        text = json.dumps(self.history, indent=2)
        (self.folder / "history.json").write_text(text + "\n", encoding="utf-8")
        _log.info("%s", json.dumps({"epoch": len(self.history) - 1, **entry}))
