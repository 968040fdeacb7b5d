"""The encoder learns attributes: a multi-label head on it, its last stages tuned.

The head is also the yardstick of the captioner: both read the same features.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the field's name for it)

from model_server.captioning.networks import CNNEncoder, ResNet
from model_server.imaging import Preprocessing, preprocess
from training.checkpoint import MovingAverage
from training.faces.labels import PRESENT, UNKNOWN, VALUES
from training.faces.portraits import Portraits
from training.features import network_digest

__all__ = [
    "AttributeHead",
    "Trunk",
    "TuneOptions",
    "best_thresholds",
    "cache_trunk",
    "head_logits",
    "tune_encoder",
]

_log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]
Table = npt.NDArray[np.int8]


class AttributeHead(nn.Module):
    """Pooled features → one logit for each value of each attribute.

    Args:
        channels: Of the features.
        dropout: Before the linear layer.
    """

    def __init__(self, channels: int, dropout: float = 0.3) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(channels, len(VALUES))

    def forward(self, regions: Tensor) -> Tensor:
        """Regions (N, K, channels) → logits (N, len(VALUES))."""
        logits: Tensor = self.linear(self.dropout(self.norm(regions.mean(1))))
        return logits


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


class Trunk(nn.Module):
    """The stages of a ResNet that stay as they are; those that are tuned are its ``tail``.

    Args:
        backbone: The whole network.
        stages: How many of the last stages are tuned.
    """

    def __init__(self, backbone: ResNet, stages: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.kept = backbone.stages[: len(backbone.stages) - stages]
        self.frozen = nn.ModuleList(
            [backbone.conv1, backbone.bn1, *(backbone.get_submodule(name) for name in self.kept)]
        )
        tuned = backbone.stages[len(backbone.stages) - stages :]
        self.tail = nn.Sequential(*(backbone.get_submodule(name) for name in tuned))

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) → feature map before the tuned stages."""
        x = self.backbone.stem(images)
        for stage in self.kept:
            x = self.backbone.get_submodule(stage)(x)
        return x


def tune_encoder(
    encoder: CNNEncoder,
    preprocessing: Preprocessing,
    portraits: Portraits,
    *,
    head: AttributeHead,
    learn: Mapping[str, npt.NDArray[np.int8]],
    held_out: Mapping[str, npt.NDArray[np.int8]],
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
    """
    assert isinstance(encoder.backbone, ResNet)  # noqa: S101 (for mypy)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    encoder.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    backbone = encoder.backbone
    trunk = Trunk(backbone, options.stages).eval()
    names, dev_names = sorted(learn), sorted(held_out)
    views = [
        cache_trunk(trunk, preprocessing, portraits, names, cache, view=view)
        for view in range(options.views)
    ]
    dev_view = cache_trunk(trunk, preprocessing, portraits, dev_names, cache, view=0)
    targets = torch.from_numpy(np.stack([learn[name] for name in names])).float()
    dev_table = np.stack([held_out[name] for name in dev_names])

    tuned = trunk.tail
    whole = nn.ModuleDict({"stages": tuned, "head": head})
    for parameter in backbone.parameters():
        parameter.requires_grad = False
    for parameter in whole.parameters():
        parameter.requires_grad = True
    groups = [
        {"params": list(tuned.parameters()), "peak": options.learning_rate},
        {"params": list(head.parameters()), "peak": options.head_learning_rate},
    ]
    optimizer = torch.optim.AdamW(
        [group for group in groups if group["params"]], weight_decay=options.weight_decay
    )
    average = MovingAverage(whole, 0.995)
    steps = len(names) // options.batch
    history: list[dict[str, float]] = []
    best = -1.0
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "last.pt"
    if file.exists():
        content = torch.load(file, weights_only=False)
        whole.load_state_dict(content["whole"])
        optimizer.load_state_dict(content["optimizer"])
        average.values, average.updates = content["average"], content["updates"]
        history, best = content["history"], content["best"]

    def run(batch: Tensor) -> Tensor:
        x: Tensor = tuned(batch.float().contiguous(memory_format=torch.channels_last))
        return x.flatten(2).transpose(1, 2)

    for epoch in range(len(history), options.epochs):
        started = time.perf_counter()
        rng = np.random.default_rng((options.seed, epoch))
        order = rng.permutation(len(names))
        head.train()
        losses = []
        for step in range(steps):
            rows = np.sort(order[step * options.batch : (step + 1) * options.batch])
            chosen = rng.integers(options.views, size=len(rows))
            done = (epoch * steps + step) / (options.epochs * steps)
            rate = min(1.0, (epoch * steps + step + 1) / (0.05 * options.epochs * steps))
            rate *= 0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * done))
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * float(rate)
            batch = torch.from_numpy(
                np.stack([views[view][row] for row, view in zip(rows, chosen, strict=True)])
            )
            with torch.autocast("cpu", torch.bfloat16):
                logits = head(run(batch))
            loss = masked_loss(logits.float(), targets[torch.from_numpy(rows)])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(whole.parameters(), 1.0)
            optimizer.step()
            average.update(whole)
            losses.append(float(loss.detach()))
        average.swap(whole)
        head.eval()
        with torch.inference_mode():
            dev_logits = torch.cat(
                [
                    head(run(torch.from_numpy(np.array(dev_view[start : start + 64]))))
                    for start in range(0, len(dev_names), 64)
                ]
            ).numpy()
        score = average_precision(dev_logits, dev_table)
        entry = {
            "loss": float(np.mean(losses)),
            "average_precision": score,
            "seconds": round(time.perf_counter() - started, 1),
        }
        history.append(entry)
        if score > best:
            best = score
            torch.save(
                {
                    "backbone": backbone.state_dict(),
                    "head": head.state_dict(),
                    "logits": dev_logits,
                },
                folder / "best.pt",
            )
        average.swap(whole)
        torch.save(
            {
                "whole": whole.state_dict(),
                "optimizer": optimizer.state_dict(),
                "average": average.values,
                "updates": average.updates,
                "history": history,
                "best": best,
            },
            file,
        )
        (folder / "history.json").write_text(json.dumps(history, indent=2) + "\n", encoding="utf-8")
        _log.info("%s", json.dumps({"epoch": epoch, **entry}))
    content = torch.load(folder / "best.pt", weights_only=False)
    backbone.load_state_dict(content["backbone"])
    head.load_state_dict(content["head"])
    head.eval()


def masked_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean binary cross-entropy over what is known; -1 in ``targets`` is unknown."""
    known = targets != UNKNOWN
    return F.binary_cross_entropy_with_logits(logits[known], targets[known])


def cache_trunk(
    trunk: Trunk,
    preprocessing: Preprocessing,
    portraits: Portraits,
    names: Sequence[str],
    folder: Path,
    *,
    view: int,
) -> npt.NDArray[np.float16]:
    """What the frozen stages make of each portrait: shape (N, channels, h, w).

    View 0 is the portrait as the server cuts it; every other number is another random cut.
    """
    listed = hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]
    key = f"{network_digest(trunk.frozen, preprocessing)}-{listed}-{view}"
    file, progress = folder / f"{key}.npy", folder / f"{key}.done"
    folder.mkdir(parents=True, exist_ok=True)
    done = int(progress.read_text()) if progress.exists() else 0
    store: npt.NDArray[np.float16] | None = None
    if done:
        store = np.lib.format.open_memmap(file, mode="r+")
    for start in range(done, len(names), CACHE_BATCH):
        rows = range(start, min(start + CACHE_BATCH, len(names)))
        images = [
            preprocess(
                portraits.view(names[row], np.random.default_rng((view, row)) if view else None),
                preprocessing,
            )
            for row in rows
        ]
        batch = torch.from_numpy(np.stack(images)).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            found = trunk(batch).half().numpy()
        if store is None:
            shape = (len(names), *found.shape[1:])
            store = np.lib.format.open_memmap(file, mode="w+", dtype=np.float16, shape=shape)
        store[rows.start : rows.stop] = found
        if rows.stop % (32 * CACHE_BATCH) == 0 or rows.stop == len(names):
            progress.write_text(str(rows.stop))
            _log.info("%d of %d portraits, view %d", rows.stop, len(names), view)
    cached: npt.NDArray[np.float16] = np.load(file, mmap_mode="r")
    return cached


CACHE_BATCH = 16


@torch.inference_mode()
def head_logits(
    encoder: CNNEncoder,
    head: AttributeHead,
    preprocessing: Preprocessing,
    portraits: Portraits,
    names: Sequence[str],
    *,
    batch: int = 32,
) -> Floats:
    """The head's logits for portraits as the server cuts them, shape (N, len(VALUES))."""
    found = []
    for start in range(0, len(names), batch):
        images = [
            preprocess(portraits.open(name), preprocessing) for name in names[start : start + batch]
        ]
        found.append(head(encoder(torch.from_numpy(np.stack(images)))))
    logits: Floats = torch.cat(found).float().numpy()
    return logits


def average_precision(logits: Floats, table: Table) -> float:
    """Mean over the values of the average precision on what is known."""
    scores = []
    for column in range(table.shape[1]):
        known = table[:, column] != UNKNOWN
        truth = table[known, column] == 1
        if not truth.any():
            continue
        ranked = truth[np.argsort(-logits[known, column], kind="stable")]
        precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
        scores.append(float(precision[ranked].mean()))
    return float(np.mean(scores))


def best_thresholds(logits: Floats, table: Table) -> Floats:
    """The threshold, the same for every value, that gives the best micro F1 on what is known.

    One probability for all is what is best for micro F1 (Lipton et al. 2014), and unlike one for
    each value it does not follow the noise of the rare ones.

    Returns:
        Shape (values,), logits.
    """
    known = table != UNKNOWN
    order = np.argsort(-logits[known], kind="stable")
    ranked, truth = logits[known][order], (table[known] == PRESENT)[order]
    hits = np.cumsum(truth)
    cut = int((2 * hits / (np.arange(1, len(truth) + 1) + truth.sum())).argmax())
    following = ranked[cut + 1] if cut + 1 < len(ranked) else ranked[cut] - 1
    return np.full(table.shape[1], (ranked[cut] + following) / 2, np.float32)
