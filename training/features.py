"""A cache of encoder features: computed once, then read through a memory map.

The folder's name holds a hash of the encoder's weights and of the preprocessing, one of the
photos, and the precision, so that features of another network, of other photos or of coarser
numbers can never be taken for these.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from model_server import imaging
from model_server.imaging import Preprocessing, preprocess
from training.photos import Photos, picture_digest

__all__ = ["FeatureCache", "cache_features", "network_digest", "weights_digest"]

HalfArray = npt.NDArray[np.float16]

_LARGEST = float(torch.finfo(torch.float16).max)

_IMAGING = hashlib.sha256(Path(imaging.__file__).read_bytes()).hexdigest()
"""Of the code that decodes and prepares photos: what other code made is not read."""


def weights_digest(network: nn.Module) -> str:
    """Twelve hex digits of a network's weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def network_digest(network: nn.Module, preprocessing: Preprocessing) -> str:
    """Twelve hex digits of the weights and of how photos are decoded and prepared."""
    prepared = json.dumps(preprocessing.to_manifest(), sort_keys=True)
    text = f"{prepared} {_IMAGING} {weights_digest(network)}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class FeatureCache:
    """Features of photos by name.

    Args:
        folder: Made by :func:`cache_features`.

    Raises:
        FileNotFoundError: The cache is missing or was not finished.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        self.rows: dict[str, int] = {name: row for row, name in enumerate(index["names"])}
        self.views: int = index["views"]
        self.features = np.load(folder / "features.npy", mmap_mode="r")

    def read(self, names: Sequence[str], views: Sequence[int] | None = None) -> HalfArray:
        """Features of some photos: float16, shape (N, regions, channels).

        Args:
            names: Of the photos.
            views: Which view of each, 0 as it is (default), 1 mirrored.
        """
        rows = [self.rows[name] for name in names]
        return np.stack(
            [
                self.features[row, view]
                for row, view in zip(rows, views or [0] * len(rows), strict=True)
            ]
        )


def cache_features(
    photos: Photos,
    names: Sequence[str],
    network: nn.Module,
    preprocessing: Preprocessing,
    folder: Path,
    *,
    mirrored: bool = True,
    batch: int = 32,
    device: str = "cpu",
    dtype: torch.dtype | None = None,
    progress: Callable[[int], None] | None = None,
) -> FeatureCache:
    """Computes what is not there yet; goes on where an earlier, killed run stopped.

    Args:
        photos: Where the photos are.
        names: Which of them.
        network: Images (N, 3, H, W) → regions (N, K, channels), in evaluation mode.
        preprocessing: How it wants its input.
        folder: Where caches lie; this one gets a folder of its own in it.
        mirrored: Whether to keep the mirrored photo's features as well.
        batch: Photos at a time.
        device: To compute on.
        dtype: Of the computations under autocast; None: float32.
        progress: Called with the number of photos done.

    Raises:
        ArithmeticError: A feature is infinite or no number.
    """
    views = 2 if mirrored else 1
    # Other photos may have the same names.
    listing = "\n".join(f"{name} {picture_digest(photos, name)}" for name in names)
    listed = hashlib.sha256(listing.encode()).hexdigest()[:12]
    precision = str(dtype or torch.float32).removeprefix("torch.")
    own = folder / f"{network_digest(network, preprocessing)}-{listed}-{views}-{precision}"
    if (own / "index.json").exists():
        return FeatureCache(own)
    own.mkdir(parents=True, exist_ok=True)
    network = network.eval().to(device)
    done_file = own / "done"
    done = int(done_file.read_text()) if done_file.exists() else 0
    store: Any = None
    if done:
        store = np.lib.format.open_memmap(own / "features.npy", mode="r+")
    while done < len(names):
        chosen = names[done : done + batch]
        pixels = np.stack([preprocess(photos.open(name), preprocessing) for name in chosen])
        images = torch.from_numpy(pixels).to(device, memory_format=torch.channels_last)
        with torch.autocast(images.device.type, dtype or torch.bfloat16, enabled=dtype is not None):
            found = _run(network, images, mirrored=mirrored)
        if store is None:
            shape = (len(names), views, *found.shape[2:])
            store = np.lib.format.open_memmap(
                own / "features.npy", mode="w+", dtype=np.float16, shape=shape
            )
        store[done : done + len(chosen)] = found
        done += len(chosen)
        if done % (16 * batch) == 0:
            store.flush()
            done_file.write_text(str(done))
        if progress:
            progress(done)
    if store is not None:
        store.flush()
    index = {"names": list(names), "views": views}
    (own / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return FeatureCache(own)


def _run(network: nn.Module, images: torch.Tensor, *, mirrored: bool) -> HalfArray:
    with torch.inference_mode():
        found = [network(images)]
        if mirrored:
            found.append(network(images.flip(-1)))
    features = torch.stack(found, 1).float()
    if not bool(torch.isfinite(features).all()):
        raise ArithmeticError("the encoder gives features that are no numbers")
    # Only random weights give more than fp16 can hold, and infinity would be worse.
    return features.clamp(-_LARGEST, _LARGEST).half().cpu().numpy()
