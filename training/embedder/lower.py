"""What the frozen lower half of our network says of each face, computed once.

The lower half takes most of the time of a training step on a CPU; what it gives is kept
on disk, once for the face as it is and once for each variation of it.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from model_server.analysis import Image
from training.embedder.augment import augment, centre
from training.embedder.crops import FaceSet
from training.embedder.dlib_network import MEAN_RGB
from training.embedder.network import LOWER_SHAPE, FaceNetwork

__all__ = ["LowerCache", "to_tensor", "write_lower"]

log = logging.getLogger(__name__)

_BATCH = 32


def to_tensor(images: Image) -> torch.Tensor:
    """Input of the network, of faces of shape (N, 150, 150, 3)."""
    tensor = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()
    tensor = (tensor - torch.tensor(MEAN_RGB)[:, None, None]) / 256
    return tensor.contiguous(memory_format=torch.channels_last)


class LowerCache:
    """Reads what :func:`write_lower` wrote.

    Attributes:
        rows: The faces, by their row in the face set, shape (N,).
        variants: How often each is there: as it is, then varied.
    """

    def __init__(self, folder: Path) -> None:
        self.rows: npt.NDArray[np.int64] = np.load(folder / "rows.npy")
        files = sorted(folder.glob("variant-*.npy"))
        self._arrays = [np.load(file, mmap_mode="r") for file in files]
        self.variants = len(files)

    def read(self, variant: int, index: npt.NDArray[np.int64]) -> torch.Tensor:
        """Some faces, by their place in :attr:`rows`; shape (n, 64, 17, 17)."""
        channels, rows, columns = LOWER_SHAPE
        flat = torch.from_numpy(np.array(self._arrays[variant][index]))
        return flat.float().reshape(-1, rows, columns, channels).permute(0, 3, 1, 2)


@torch.inference_mode()
def write_lower(
    network: FaceNetwork,
    faces: FaceSet,
    rows: npt.NDArray[np.int64],
    folder: Path,
    variants: int,
) -> None:
    """Runs the lower half over faces.

    Args:
        network: Its lower half is used as it is.
        faces: Crops of every face.
        rows: Which of them.
        folder: Where to write; what is there already is not computed again.
        variants: 1: as they are; more: varied at random as well.
    """
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "rows.npy", rows)
    for variant in range(variants):
        file = folder / f"variant-{variant}.npy"
        if file.exists():
            continue
        partial = file.with_suffix(".partial")
        width = int(np.prod(LOWER_SHAPE))
        array = np.lib.format.open_memmap(partial, "w+", np.float16, (len(rows), width))
        rng = np.random.default_rng(variant)
        for start in range(0, len(rows), _BATCH):
            images = [
                augment(faces.crops[row], rng) if variant else centre(faces.crops[row])
                for row in rows[start : start + _BATCH]
            ]
            with torch.autocast("cpu", torch.bfloat16):
                lower = network.lower(to_tensor(np.stack(images)))
            flat = lower.float().permute(0, 2, 3, 1).flatten(1)
            array[start : start + _BATCH] = flat.numpy().astype(np.float16)
        array.flush()
        partial.rename(file)
        log.info("variant %d of %d", variant + 1, variants)
