"""Tests of the encoders by name, and of the network read from its package."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from model_server.captioning.networks import ImageCaptioningModel, ResNet, build_decoder
from training.encoders import ENCODERS, build_encoder
from training.open_nsfw import OPEN_NSFW_PREPROCESSING, load_open_nsfw, open_nsfw_path


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_can_train_a_captioner(name: str) -> None:
    """One step on small pictures: regions have the promised channels, and gradients arrive."""
    torch.manual_seed(0)
    encoder, _ = build_encoder(name, "none")
    decoder = build_decoder("attention", 9, encoder.channels, hidden=16)
    model = ImageCaptioningModel(encoder.eval(), decoder)
    images = torch.randn(1, 3, 96, 96)
    regions = encoder(images)
    assert regions.shape[0] == 1
    assert regions.shape[2] == ENCODERS[name].channels
    model(images, torch.tensor([[1, 4, 5]])).logsumexp(-1).sum().backward()
    assert any(
        parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
        for parameter in encoder.parameters()
    )


def test_half_width_resnet_equals_its_onnx() -> None:
    """Pooled features and NSFW score equal what the package's own file gives, to 1e-4."""
    network, classifier = load_open_nsfw()
    pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3)).astype(np.float32)
    pixels -= np.float32(OPEN_NSFW_PREPROCESSING.mean)
    session = onnxruntime.InferenceSession(str(open_nsfw_path()))
    (theirs,) = session.run(None, {session.get_inputs()[0].name: pixels})
    with torch.inference_mode():
        features = network(torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()))
        ours = torch.softmax(classifier(features.mean((2, 3))), -1)
    assert features.shape == (2, 1024, 7, 7)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_weights_from_a_file(tmp_path: Path) -> None:
    """A backbone's or a whole encoder's state dict is taken; a part of one is refused."""
    torch.manual_seed(0)
    network = ResNet(32, caffe=True)
    torch.save({**network.state_dict(), "fc.weight": torch.zeros(1)}, tmp_path / "own.pth")
    encoder, _ = build_encoder("resnet50-half", str(tmp_path / "own.pth"))
    assert torch.equal(encoder.backbone.get_parameter("conv1.weight"), network.conv1.weight)
    torch.save(encoder.state_dict(), tmp_path / "encoder.pth")
    build_encoder("resnet50-half", str(tmp_path / "encoder.pth"))
    torch.save({"conv1.weight": network.conv1.weight}, tmp_path / "part.pth")
    with pytest.raises(RuntimeError, match=r"layer1\.0\.conv1\.weight"):
        build_encoder("resnet50-half", str(tmp_path / "part.pth"))


def test_unknown_encoder_and_weights() -> None:
    """The errors say what there is."""
    with pytest.raises(ValueError, match="densenet201"):
        build_encoder("resnet5000")
    with pytest.raises(ValueError, match="package"):
        build_encoder("resnet50-half", "imagenet")
