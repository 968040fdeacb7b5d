"""dlib's face recognition ResNet-29, read from dlib's own file into torch.

Davis King published the network under CC0 (dlib_face_recognition_resnet_model_v1).
dlib stores an integer as a byte count and little-endian bytes, and a tensor as version
2, four dimensions, and little-endian floats; layers follow from the input to the output.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

__all__ = ["MEAN_RGB", "SIDE", "DlibResNet", "load_dlib_network"]

SIDE = 150
"""Pixels of the input's sides."""

MEAN_RGB = (122.782, 117.001, 104.298)
"""Subtracted from the input; the rest is divided by 256."""

# Channels of each residual block in order; "down" halves the resolution.
_BLOCKS = (
    *[(32, False)] * 3,
    (64, True),
    *[(64, False)] * 3,
    (128, True),
    *[(128, False)] * 2,
    (256, True),
    *[(256, False)] * 2,
    (256, True),
)


class DlibBlock(nn.Module):
    """Two convolutions and a shortcut, padded with zeros where the shapes differ.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        down: Whether the resolution is halved.
    """

    def __init__(self, inputs: int, outputs: int, *, down: bool) -> None:
        super().__init__()
        self.down = down
        # dlib pads strided convolutions not at all.
        self.first = nn.Conv2d(inputs, outputs, 3, 2 if down else 1, 0 if down else 1)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Shape (N, inputs, H, W) to (N, outputs, H', W')."""
        y = self.second(functional.relu(self.first(x)))
        shortcut = functional.avg_pool2d(x, 2) if self.down else x
        channels, height, width = (max(y.shape[i], shortcut.shape[i]) for i in (1, 2, 3))
        return functional.relu(
            _padded(y, channels, height, width) + _padded(shortcut, channels, height, width)
        )


def _padded(x: torch.Tensor, channels: int, height: int, width: int) -> torch.Tensor:
    missing = (0, width - x.shape[3], 0, height - x.shape[2], 0, channels - x.shape[1])
    return functional.pad(x, missing) if any(missing) else x


class DlibResNet(nn.Module):
    """The network with its affine layers folded into the convolutions.

    Input: float32 (N, 3, 150, 150), RGB, 0..255 minus :data:`MEAN_RGB`, over 256.
    Output: (N, 128), not normalised.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 7, 2)
        inputs = (32, *[outputs for outputs, _ in _BLOCKS[:-1]])
        self.blocks = nn.Sequential(
            *(
                DlibBlock(channels, outputs, down=down)
                for channels, (outputs, down) in zip(inputs, _BLOCKS, strict=True)
            )
        )
        self.embedding = nn.Linear(256, 128, bias=False)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """The pooled feature, shape (N, 256)."""
        x = functional.max_pool2d(functional.relu(self.stem(x)), 3, 2)
        pooled: torch.Tensor = self.blocks(x).mean((2, 3))
        return pooled

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The embedding, shape (N, 128)."""
        embedded: torch.Tensor = self.embedding(self.features(x))
        return embedded


def load_dlib_network(path: Path) -> DlibResNet:
    """Reads dlib's file.

    Raises:
        ValueError: It holds another network.
    """
    network = DlibResNet().eval()
    tensors = _Tensors(path.read_bytes())
    with torch.no_grad():
        for convolution in _convolutions(network):
            _fill(convolution, tensors)
        weights = tensors.take(256 * 128, rows=256).reshape(256, 128)
        network.embedding.weight.copy_(torch.from_numpy(weights.T.copy()))
    return network


def _convolutions(network: DlibResNet) -> Iterator[nn.Conv2d]:
    yield network.stem
    for block in network.blocks:
        if isinstance(block, DlibBlock):
            yield block.first
            yield block.second


def _fill(convolution: nn.Conv2d, tensors: _Tensors) -> None:
    """Reads a convolution and the affine layer behind it, folded into one."""
    filters = convolution.out_channels
    count = convolution.weight.numel()
    values = tensors.take(count + filters)
    affine = tensors.take(2 * filters)
    gamma, beta = affine[:filters], affine[filters:]
    weight = values[:count].reshape(convolution.weight.shape) * gamma[:, None, None, None]
    convolution.weight.copy_(torch.from_numpy(weight))
    if convolution.bias is not None:
        bias = torch.from_numpy(values[count:] * gamma + beta)
        convolution.bias.copy_(bias)


class _Tensors:
    """Finds one tensor after the other in dlib's serialisation."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int, rows: int | None = None) -> npt.NDArray[np.float32]:
        """The next tensor with so many numbers, of shape (size, 1, 1, 1) or (rows, …, 1, 1).

        Raises:
            ValueError: There is none.
        """
        shape = (size, 1, 1, 1) if rows is None else (rows, size // rows, 1, 1)
        header = b"".join(_packed(number) for number in (2, *shape))
        found = self._data.find(header, self._at)
        if found < 0:
            raise ValueError(f"no tensor of shape {shape}: this is another network")
        start = found + len(header)
        self._at = start + 4 * size
        return np.frombuffer(self._data[start : self._at], "<f4").copy()


def _packed(number: int) -> bytes:
    count = max((number.bit_length() + 7) // 8, 1)
    return bytes([count]) + number.to_bytes(count, "little")
