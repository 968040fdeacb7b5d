"""Trains our embedder: what a teacher says of each face, learnt by dlib's network.

The loss has three parts, none of which needs a label:

* the student's vector points where the teacher's does (cosine);
* among the faces of a batch the student sees the likenesses that the teacher sees
  (Park et al., "Relational Knowledge Distillation", 2019);
* before all people of the training set, the student hesitates between those between
  whom the teacher hesitates (Hinton et al., 2015): each person's anchor is the mean of
  the teacher's vectors, logits are cosines.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from model_server.analysis import FloatArray
from training.checkpoint import MovingAverage, save_checkpoint
from training.embedder.crops import FaceSet
from training.embedder.dlib_network import load_dlib_network
from training.embedder.lower import LowerCache
from training.embedder.network import FaceNetwork
from training.runtime import to_channels_last

__all__ = ["DistilOptions", "distil", "losses", "read_student", "solve_head", "training_rows"]

log = logging.getLogger(__name__)

_SHARPNESS = 16.0
"""Of the softmax over people; cosines between strangers spread by about 0.1."""


@dataclass(frozen=True, slots=True)
class DistilOptions:
    """Of a run.

    Attributes:
        minutes: Of computing on each core, however busy the machine is otherwise. The
            learning rate falls to nothing over this time; a resumed run goes on.
        batch: Faces a step.
        learning_rate: Of the trunk; the head's is two fifths of it.
    """

    minutes: float = 30.0
    batch: int = 48
    learning_rate: float = 1.5e-4


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
def solve_head(
    network: FaceNetwork, cache: LowerCache, targets: FloatArray, ridge: float = 0.1
) -> None:
    """Gives the head the least-squares solution, so that training need not begin at zero.

    Args:
        network: Its trunk is used as it is.
        cache: Of the faces to learn from.
        targets: What the teacher says, one row for each face of the cache.
        ridge: Penalty, as a share of the features' mean variance.
    """
    rows: list[torch.Tensor] = []
    for variant in range(cache.variants):
        for start in range(0, len(cache.rows), 128):
            index = np.arange(start, min(start + 128, len(cache.rows)))
            with torch.autocast("cpu", torch.bfloat16):
                rows.append(network.features(cache.read(variant, index)))
    features = torch.cat(rows)
    network.mean.copy_(features.mean(0))
    network.deviation.copy_(features.std(0).clamp(min=0.02))
    features = (features - network.mean) / network.deviation
    wanted = torch.from_numpy(targets).repeat(cache.variants, 1)
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


def read_student(source: Path, run: Path) -> FaceNetwork:
    """The network of a run, with the moving average of its weights.

    Args:
        source: dlib's file.
        run: Folder of the run.
    """
    content = torch.load(run / "last.pt", weights_only=False)
    weights = {**content["model"], **content["average"]}
    network = FaceNetwork(load_dlib_network(source), len(weights["embedding.bias"]))
    network.load_state_dict(weights)
    return network.eval()


def distil(
    network: FaceNetwork,
    cache: LowerCache,
    people: npt.NDArray[np.str_],
    targets: FloatArray,
    *,
    run: Path,
    options: DistilOptions,
) -> None:
    """Trains the upper half; writes last.pt every few minutes and at the end, resumes from it.

    Args:
        network: As dlib made it.
        cache: Of the faces to learn from, N of them.
        people: Person of each face, shape (N,).
        targets: The teacher's unit vectors, shape (N, D).
        run: Folder of the run.
        options: Of the run.
    """
    torch.manual_seed(0)
    run.mkdir(parents=True, exist_ok=True)
    anchors = _anchors(people, targets)
    network.freeze_lower()
    to_channels_last(network)
    trunk = [p for p in network.blocks.parameters() if p.requires_grad]
    head = list(network.embedding.parameters())
    optimizer = torch.optim.AdamW(
        [{"params": trunk, "share": 1.0}, {"params": head, "share": 0.4}], weight_decay=0.02
    )
    checkpoint = run / "last.pt"
    content = torch.load(checkpoint, weights_only=False) if checkpoint.exists() else None
    if content is None:
        solve_head(network, cache, targets)
    else:
        network.load_state_dict(content["model"])
        optimizer.load_state_dict(content["optimizer"])
    average = MovingAverage(network, 0.997)
    spent, step = 0.0, 0
    if content is not None:
        average.values, average.updates = content["average"], content["updates"]
        spent, step = content["spent"], content["step"]

    def save() -> None:
        save_checkpoint(
            checkpoint,
            {
                "model": network.state_dict(),
                "optimizer": optimizer.state_dict(),
                "average": average.values,
                "updates": average.updates,
                "spent": spent,
                "step": step,
            },
        )

    rng = np.random.default_rng(step)
    network.train()
    seen: list[list[float]] = []
    saved = spent
    while spent < options.minutes * 60:
        began = time.process_time()
        falling = (1 + np.cos(np.pi * spent / (options.minutes * 60))) / 2
        rate = options.learning_rate * min((step + 1) / 40, falling)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["share"]
        index = np.sort(rng.choice(len(cache.rows), options.batch, replace=False))
        with torch.autocast("cpu", torch.bfloat16):
            student = network.upper(cache.read(step % cache.variants, index))
        parts = losses(student, torch.from_numpy(targets[index]), anchors)
        loss: torch.Tensor = parts[0] + 4.0 * parts[1] + 0.5 * parts[2]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update(network)
        step += 1
        spent += (time.process_time() - began) / torch.get_num_threads()
        seen.append([part.item() for part in parts])
        if step % 50 == 0:
            log.info(
                "step %d  %.1f min  lr %.1e  pointing %.4f  relations %.5f  hesitation %.4f",
                *(step, spent / 60, rate, *np.mean(seen, axis=0)),
            )
            seen.clear()
        if spent - saved > 120:
            save()
            saved = spent
    save()


def _anchors(people: npt.NDArray[np.str_], targets: FloatArray) -> torch.Tensor:
    unique, number = np.unique(people, return_inverse=True)
    sums = np.zeros((len(unique), targets.shape[1]), np.float32)
    np.add.at(sums, number, targets)
    return functional.normalize(torch.from_numpy(sums))
