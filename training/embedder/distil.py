"""Trains our embedder: what a teacher says of each face, learnt by dlib's network.

However a face is varied, the student shall say what the teacher said of the face as it is:
so it learns not to mind blur, bad light and compression. (To ask the teacher about the varied
face, and about blends of two faces, costs twice the time and learnt more slowly here.)

The loss has three parts, none of which needs a label:

* the student's vector points where the teacher's does (cosine);
* among the faces of a batch the student sees the likenesses that the teacher sees
  (Park et al., "Relational Knowledge Distillation", 2019);
* before all people of the training set, the student hesitates between those between
  whom the teacher hesitates (Hinton et al., 2015): each person's anchor is the mean of
  the teacher's vectors, logits are cosines.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from model_server.analysis import FloatArray, Image
from training.batches import ahead
from training.checkpoint import MovingAverage, check_same_run, save_checkpoint
from training.embedder.augment import augment, centre
from training.embedder.crops import FaceSet
from training.embedder.network import FaceNetwork, to_tensor
from training.optimization import cosine, finite_loss
from training.runtime import cpu_autocast, to_channels_last

__all__ = [
    "BLEND",
    "DistilOptions",
    "distil",
    "losses",
    "solve_head",
    "training_rows",
]

log = logging.getLogger(__name__)

BLEND = ""
"""Stands for the person of a face that is nobody's; hesitation is between people."""

_WARMUP_STEPS = 60

_SHARPNESS = 16.0
"""Of the softmax over people; cosines between strangers spread by about 0.1."""


@dataclass(frozen=True, slots=True)
class DistilOptions:
    """Of a run.

    Attributes:
        steps: Of training; the learning rate rises over the first of them and falls to
            nothing at the last.
        batch: Faces a step.
        learning_rate: Of the trunk, at its peak; the head's is two fifths of it.
        weight_decay: Of AdamW.
        solve_head: Whether to begin with the head that fits the targets best, rather than
            with the network's own.
        frozen_blocks: Residual blocks that stay as they are, and the stem with them where
            there are any: edges are the same in all faces, and a step takes less time.
    """

    steps: int = 2700
    batch: int = 64
    learning_rate: float = 6e-4
    weight_decay: float = 0.05
    solve_head: bool = True
    frozen_blocks: int = 0


def training_rows(faces: FaceSet) -> npt.NDArray[np.int64]:
    """Faces to learn from: LFW's train people, and the celebrities' gallery photos.

    Nobody of LFW's val people is among them, whatever the data set.
    """
    held_out = {
        person
        for name, person, split in zip(faces.names, faces.people, faces.splits, strict=True)
        if name.startswith("lfw/") and split == "val"
    }
    wanted = [
        person not in held_out and split in {"train", "gallery"}
        for person, split in zip(faces.people, faces.splits, strict=True)
    ]
    return np.flatnonzero(faces.found & np.array(wanted))


@torch.inference_mode()
def solve_head(network: FaceNetwork, crops: Image, targets: FloatArray, ridge: float = 0.1) -> None:
    """Gives the head the least-squares solution, so that training need not begin at zero.

    Args:
        network: Its trunk is used as it is.
        crops: Faces to learn from, with their margin.
        targets: What the teacher says of them, one row each.
        ridge: Penalty, as a share of the features' mean variance.
    """
    rows: list[torch.Tensor] = []
    for start in range(0, len(crops), 64):
        images = np.stack([centre(crop) for crop in crops[start : start + 64]])
        with cpu_autocast():
            rows.append(network.features(to_tensor(images)))
    features = torch.cat(rows)
    network.mean.copy_(features.mean(0))
    network.deviation.copy_(features.std(0).clamp(min=0.02))
    features = (features - network.mean) / network.deviation
    wanted = torch.from_numpy(targets)
    gram = features.T @ features
    size = len(gram)
    gram += ridge * gram.trace() / size * torch.eye(size)
    weight = torch.linalg.solve(gram, features.T @ (wanted - wanted.mean(0)))
    network.embedding.weight.copy_(weight.T)
    network.embedding.bias.copy_(wanted.mean(0))


def losses(
    student: torch.Tensor, teacher: torch.Tensor, anchors: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The three parts: pointing, relations, hesitation.

    Args:
        student: Shape (N, D), of any length.
        teacher: Shape (N, D), unit rows.
        anchors: Shape (people, D), unit rows.
    """
    student = functional.normalize(student.float())
    pointing = (1 - (student * teacher).sum(1)).mean()
    relations = functional.mse_loss(student @ student.T, teacher @ teacher.T)
    hesitation = functional.kl_div(
        functional.log_softmax(_SHARPNESS * student @ anchors.T, 1),
        functional.softmax(_SHARPNESS * teacher @ anchors.T, 1),
        reduction="batchmean",
    )
    return pointing, relations, hesitation


def distil(
    network: FaceNetwork,
    crops: Image,
    people: npt.NDArray[np.str_],
    targets: FloatArray,
    *,
    run: Path,
    options: DistilOptions,
) -> None:
    """Trains the network; writes last.pt every few minutes and at the end, goes on from it.

    Args:
        network: As dlib made it.
        crops: Faces to learn from with their margin, shape (N, 182, 182, 3).
        people: Person of each face, shape (N,).
        targets: What the teacher says of the faces as they are, unit rows, shape (N, D).
        run: Folder of the run.
        options: Of the run.

    Raises:
        ValueError: The folder holds a run with other options or targets.
        NonFiniteLossError: Training broke down.
    """
    torch.manual_seed(0)
    run.mkdir(parents=True, exist_ok=True)
    to_channels_last(network)
    _freeze(network, options.frozen_blocks)
    optimizer = _optimizer(network, options)
    checkpoint = run / "last.pt"
    made_of = {**asdict(options), "targets": hashlib.sha256(targets.tobytes()).hexdigest()}
    content = _interrupted(checkpoint, made_of)
    if content is None and options.solve_head:
        solve_head(network, crops, targets)
    if content is not None:
        network.load_state_dict(content["model"])
        optimizer.load_state_dict(content["optimizer"])
    average = MovingAverage(network, 0.995)
    first = 0
    if content is not None:
        average.values, average.updates = content["average"], content["updates"]
        first = content["step"]

    def save(step: int) -> None:
        save_checkpoint(
            checkpoint,
            {
                "model": network.state_dict(),
                "optimizer": optimizer.state_dict(),
                "average": average.values,
                "updates": average.updates,
                "step": step,
                "made_of": made_of,
            },
        )

    anchors = _anchors(people, targets)
    network.train()
    seen: list[list[float]] = []
    saved = time.monotonic()
    batches = ahead(lambda: _batches(crops, options, first))
    for step, (images, index) in enumerate(batches, first + 1):
        share = cosine(step - 1, options.steps, _WARMUP_STEPS / options.steps, floor=0.0)
        rate = options.learning_rate * share
        for group in optimizer.param_groups:
            group["lr"] = rate * group["share"]
        with cpu_autocast():
            student = network(to_tensor(images))
        parts = losses(student, torch.from_numpy(targets[index]), anchors)
        loss: torch.Tensor = parts[0] + 4.0 * parts[1] + 0.5 * parts[2]
        finite_loss(loss, step, checkpoint)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update(network)
        seen.append([part.item() for part in parts])
        if step % 50 == 0:
            log.info(
                "step %d of %d  lr %.1e  pointing %.4f  relations %.5f  hesitation %.4f",
                *(step, options.steps, rate, *np.mean(seen, axis=0)),
            )
            seen.clear()
        if time.monotonic() - saved > 120:
            save(step)
            saved = time.monotonic()
    if first < options.steps:
        save(options.steps)


def _interrupted(checkpoint: Path, made_of: Mapping[str, Any]) -> dict[str, Any] | None:
    if not checkpoint.exists():
        return None
    content: dict[str, Any] = torch.load(checkpoint, weights_only=False)
    began = content.get("made_of", {})
    # A run may be made longer.
    check_same_run(checkpoint.parent, began, {**made_of, "steps": began.get("steps")})
    if began["steps"] != made_of["steps"]:
        log.warning(
            "%s was begun for %d steps: the learning rate goes on as in a run of %d",
            *(checkpoint.parent, began["steps"], made_of["steps"]),
        )
    return content


def _freeze(network: FaceNetwork, blocks: int) -> None:
    if blocks:
        network.stem.requires_grad_(requires_grad=False)
        network.blocks[:blocks].requires_grad_(requires_grad=False)


def _optimizer(network: FaceNetwork, options: DistilOptions) -> torch.optim.Optimizer:
    whole = [*network.stem.parameters(), *network.blocks.parameters()]
    trunk = [parameter for parameter in whole if parameter.requires_grad]
    return torch.optim.AdamW(
        [
            {"params": trunk, "share": 1.0},
            {"params": list(network.embedding.parameters()), "share": 0.4},
        ],
        weight_decay=options.weight_decay,
    )


def _batches(crops: Image, options: DistilOptions, first: int) -> Iterator[tuple[Image, list[int]]]:
    """Varied faces and their rows, from step ``first`` to the last."""
    rng = np.random.default_rng(first)
    order: list[int] = []
    batch = min(options.batch, len(crops))
    for _ in range(first, options.steps):
        if len(order) < batch:
            order = rng.permutation(len(crops)).tolist()
        chosen, order = order[:batch], order[batch:]
        yield np.stack([augment(crops[row], rng) for row in chosen]), chosen


def _anchors(people: npt.NDArray[np.str_], targets: FloatArray) -> torch.Tensor:
    people, targets = people[people != BLEND], targets[people != BLEND]
    unique, number = np.unique(people, return_inverse=True)
    sums = np.zeros((len(unique), targets.shape[1]), np.float32)
    np.add.at(sums, number, targets)
    return functional.normalize(torch.from_numpy(sums))
