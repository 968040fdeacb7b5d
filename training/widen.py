"""Net2Net (Chen et al. 2016): a wider ResNet that computes exactly what the narrow one did."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model_server.captioning.networks import ResNet

__all__ = ["WIDENING_NOISE", "widen_resnet"]

WIDENING_NOISE = 0.02
"""Relative noise on the copies that is enough for them to learn different things."""


def widen_resnet(narrow: ResNet, noise: float = 0.0, seed: int = 0) -> ResNet:
    """Doubles the width of every stage; the stem keeps its 64 channels.

    Channel c of the narrow network lives on as channels 2c and 2c + 1. What reads them gets half
    the weight for each, so that the function stays the same; features come out twice.

    Args:
        narrow: Such as the half-width ResNet-50.
        noise: Relative noise on the copies' weights, which lets them learn different things.
        seed: Of the noise.
    """
    depths = tuple(len(list(narrow.get_submodule(s).children())) for s in narrow.stages)
    width = narrow.channels // 4 // 2 ** (len(depths) - 1)
    wide = ResNet(2 * width, caffe=narrow.caffe, layers=depths)
    generator = torch.Generator().manual_seed(seed)
    theirs = dict(narrow.named_modules())
    with torch.no_grad():
        for name, module in wide.named_modules():
            source = theirs[name]
            if isinstance(module, nn.Conv2d) and isinstance(source, nn.Conv2d):
                module.weight.copy_(_convolution(source.weight, module, noise, generator))
            elif isinstance(module, nn.BatchNorm2d) and isinstance(source, nn.BatchNorm2d):
                twice = module.num_features // source.num_features
                for key in ("weight", "bias", "running_mean", "running_var"):
                    value: Tensor = getattr(source, key)
                    getattr(module, key).copy_(value.repeat_interleave(twice))
    return wide.eval()


def _convolution(
    weight: Tensor, wide: nn.Conv2d, noise: float, generator: torch.Generator
) -> Tensor:
    outputs = wide.out_channels // weight.shape[0]
    inputs = wide.in_channels // weight.shape[1]
    copied = weight.repeat_interleave(outputs, 0).repeat_interleave(inputs, 1) / inputs
    if noise and inputs > 1:
        # Noise that cancels between the two copies that read the same: the function stays.
        pair = torch.randn(copied[:, ::2].shape, generator=generator) * noise * copied.std()
        copied[:, ::2] += pair
        copied[:, 1::2] -= pair
    return copied
