"""ResNet-50 of any width in torch, for training and for the torch engine."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the field's name for it)

__all__ = ["Bottleneck", "ResNet"]


def normalized(x: Tensor, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """Convolution and batch normalisation; as one operation where the statistics are fixed.

    The gradient still reaches the parameters of both, so this serves fine-tuning as well.
    """
    if norm.training or norm.running_var is None or norm.running_mean is None:
        normed: Tensor = norm(convolution(x))
        return normed
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return F.conv2d(
        x,
        convolution.weight * scale.view(-1, 1, 1, 1),
        norm.bias - norm.running_mean * scale,
        convolution.stride,
        convolution.padding,
    )


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions around a shortcut (He et al. 2015).

    Args:
        inputs: Channels that come in.
        planes: Channels inside; four times as many go out.
        stride: Of the block.
        stride_first: Whether the first convolution has the stride, as in Caffe's networks, or
            the 3x3 one, as in torchvision's.
    """

    def __init__(self, inputs: int, planes: int, stride: int, *, stride_first: bool) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_first else (1, stride)
        self.conv1 = nn.Conv2d(inputs, planes, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, second, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, 4 * planes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * planes)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != 4 * planes:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, 4 * planes, 1, stride, bias=False), nn.BatchNorm2d(4 * planes)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, inputs, H, W) → (N, 4 x planes, H / stride, W / stride)."""
        shortcut = x
        if self.downsample is not None:
            convolution, norm = self.downsample
            shortcut = normalized(x, convolution, norm)  # type: ignore[arg-type]
        x = torch.relu_(normalized(x, self.conv1, self.bn1))
        x = torch.relu_(normalized(x, self.conv2, self.bn2))
        return torch.relu_(normalized(x, self.conv3, self.bn3) + shortcut)


class ResNet(nn.Module):
    """ResNet-50 of any width, without its classifier. Parameters are named as in torchvision.

    Args:
        width: Planes of the first stage: 64 is the full ResNet-50, 32 the half-width one.
        caffe: Strides and padding as in Caffe's and Yahoo's networks instead of torchvision's.
        layers: Blocks in each stage.
    """

    def __init__(
        self, width: int = 64, *, caffe: bool = False, layers: Sequence[int] = (3, 4, 6, 3)
    ) -> None:
        super().__init__()
        self.caffe = caffe
        self.options = {"width": width, "caffe": caffe, "layers": list(layers)}
        self.channels = 4 * width * 2 ** (len(layers) - 1)
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.stages: list[str] = []
        inputs = 64
        for index, blocks in enumerate(layers):
            planes = width * 2**index
            stage = nn.Sequential(
                *(
                    Bottleneck(
                        inputs if block == 0 else 4 * planes,
                        planes,
                        2 if block == 0 and index > 0 else 1,
                        stride_first=caffe,
                    )
                    for block in range(blocks)
                )
            )
            inputs = 4 * planes
            self.stages.append(f"layer{index + 1}")
            self.add_module(self.stages[-1], stage)

    def stem(self, images: Tensor) -> Tensor:
        """Shape (N, 3, H, W) → (N, 64, H/4, W/4)."""
        x = torch.relu_(normalized(images, self.conv1, self.bn1))
        if self.caffe:  # windows begin at the edge; what is behind ReLU may be padded with 0
            return F.max_pool2d(F.pad(x, (0, 1, 0, 1)), 3, 2)
        return F.max_pool2d(x, 3, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Shape (N, 3, H, W) → (N, channels, H/32, W/32)."""
        x = self.stem(images)
        for stage in self.stages:
            x = self.get_submodule(stage)(x)
        return x
