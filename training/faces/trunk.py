"""The frozen stages of an encoder, and a cache of what they make of portraits."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model_server.captioning.networks import ResNet
from model_server.imaging import Preprocessing, preprocess
from training.faces.portraits import Portraits
from training.features import network_digest
from training.runtime import cpu_autocast

__all__ = ["Trunk", "cache_trunk"]

_log = logging.getLogger(__name__)

CACHE_BATCH = 16


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
    key = f"{network_digest(trunk.frozen, preprocessing)}-{portraits.digest(names)}-{view}"
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
        with torch.inference_mode(), cpu_autocast():
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
