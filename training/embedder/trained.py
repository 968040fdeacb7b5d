"""Networks that were trained: out of a run, out of a bundle, and between two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino as ov
import torch

from model_server.analysis import FloatArray
from training.embedder.dlib_network import DlibResNet
from training.embedder.network import FaceNetwork

__all__ = ["mixed", "read_shipped", "read_student"]

_HEAD = "__module.embedding/aten::linear/MatMul"
_CENTRED = "aten::sub/Subtract"
_STANDARDISED = "aten::div/Divide"


def read_student(run: Path) -> FaceNetwork:
    """The network of a run, with the moving average of its weights."""
    content = torch.load(run / "last.pt", weights_only=False)
    weights = {**content["model"], **content["average"]}
    network = FaceNetwork(DlibResNet(), len(weights["embedding.bias"]))
    network.load_state_dict(weights)
    return network.eval()


def read_shipped(file: Path) -> FaceNetwork:
    """The network that :func:`training.embedder.export.save_network` wrote.

    Weights that were stored in 8 bits come back rounded to them.

    Args:
        file: The .xml file.

    Raises:
        KeyError: It holds another network.
    """
    nodes = {
        node.get_friendly_name(): node for node in ov.Core().read_model(file).get_ordered_ops()
    }
    head = _operand(nodes[_HEAD])
    network = FaceNetwork(DlibResNet(), len(head))
    values = {"embedding.weight": head, "embedding.bias": _added_to(nodes[_HEAD])}
    # A subtraction is exported as the addition of the negative.
    values["mean"] = -_operand(nodes[_CENTRED]).ravel()
    values["deviation"] = _operand(nodes[_STANDARDISED]).ravel()
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            convolution = nodes[f"__module.{name}/aten::_convolution/Convolution"]
            values[f"{name}.weight"] = _operand(convolution)
            values[f"{name}.bias"] = _added_to(convolution)
    network.load_state_dict({key: torch.from_numpy(value) for key, value in values.items()})
    return network.eval()


def mixed(network: FaceNetwork, other: FaceNetwork, share: float) -> FaceNetwork:
    """A network between two of which one was trained on from the other.

    Args:
        network: Changed, and returned.
        other: As it is.
        share: Of the other's weights, 0..1.
    """
    weights = other.state_dict()
    network.load_state_dict(
        {name: own.lerp(weights[name], share) for name, own in network.state_dict().items()}
    )
    return network.eval()


def _added_to(node: ov.Node) -> FloatArray:
    """The constant that is added to what a node gives, one number a channel."""
    [target] = node.output(0).get_target_inputs()
    return _operand(target.get_node()).ravel()


def _operand(node: ov.Node) -> FloatArray:
    """A node's second operand, which depends on no input: weights, however they are stored."""
    compiled = ov.Core().compile_model(ov.Model([node.input_value(1)], []), "CPU")
    return np.asarray(compiled([])[0], np.float32).copy()
