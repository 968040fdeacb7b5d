"""Tests of widening."""

import torch
from torch import nn

from model_server.captioning.networks import ResNet
from training.widen import widen_resnet


def small_resnet() -> ResNet:
    torch.manual_seed(0)
    network = ResNet(4, caffe=True, layers=(1, 2))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    return network.eval()


def test_the_wide_network_computes_the_same() -> None:
    """Every feature comes out twice, with the noise that cancels out as well as without."""
    narrow = small_resnet()
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected = narrow(images).repeat_interleave(2, 1)
        for noise in (0.0, 0.05):
            wide = widen_resnet(narrow, noise)
            assert wide.channels == 2 * narrow.channels
            torch.testing.assert_close(wide(images), expected, atol=1e-4, rtol=1e-4)


def test_noise_lets_the_copies_differ() -> None:
    """Without it both copies would get the same gradient for ever."""
    wide = widen_resnet(small_resnet(), 0.05)
    weight = wide.get_parameter("layer1.0.conv2.weight")
    assert not torch.equal(weight[:, 0], weight[:, 1])
