"""Makes an exported decoder lighter: its step is as slow as its weights are long.

A step multiplies a few rows with every weight, so the time goes into reading these. int8
weights are half as long as the CPU's bf16; the LSTM has to be written as plain products for
them, since OpenVINO's own LSTM takes none.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import openvino as ov
from openvino import opset13 as operations

from model_server.bundle import MANIFEST, write_manifest

__all__ = ["lighten", "lighten_bundle"]


def lighten(graph: Any) -> Any:
    """The same decoder with int8 weights, one scale for each output.

    Args:
        graph: A decoder's step, as exported; changed in place.

    Returns:
        The graph to save.
    """
    for node in graph.get_ordered_ops():
        if node.get_type_name() == "LSTMSequence":
            _unroll(node)
    graph.validate_nodes_and_infer_types()
    return nncf.compress_weights(graph, mode=nncf.CompressWeightsMode.INT8_SYM)


def lighten_bundle(folder: Path, version: str) -> None:
    """Makes the decoder of a captioner's bundle lighter, as the export does today.

    Scores and model card stay as they are: they are of the decoder before.

    Args:
        folder: Of the bundle.
        version: The new one, since captions may change.

    Raises:
        ValueError: It is light already.
    """
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if manifest["precision"]["decoder"] == "int8":
        raise ValueError(f"the decoder of {folder.name} has int8 weights already")
    # Not read from the files that are to be written.
    graph = ov.Core().read_model(
        (folder / "decoder.xml").read_bytes(), (folder / "decoder.bin").read_bytes()
    )
    ov.save_model(lighten(graph), folder / "decoder.xml", compress_to_fp16=True)
    manifest["precision"]["decoder"] = "int8"
    write_manifest(folder, {**manifest, "version": version})


def _unroll(node: Any) -> None:
    """Puts one step of an LSTM, written out, in place of a sequence of length one.

    Raises:
        ValueError: The LSTM is another than our decoders have.
    """
    inputs, hidden, cell, _, *weights = (node.input_value(port) for port in range(7))
    attributes = node.get_attributes()
    if attributes["direction"] != "forward" or inputs.get_partial_shape()[1] != 1:
        raise ValueError("only one step of a forward LSTM can be written out")
    kernel, recurrent, bias = (_constant(value)[0] for value in weights)
    row = operations.concat([_without(inputs, 1), _without(hidden, 1)], 1)
    both = operations.constant(np.concatenate([kernel, recurrent], 1).astype(np.float32))
    product = operations.matmul(row, both, transpose_a=False, transpose_b=True)
    gates = operations.add(product, operations.constant(bias[None].astype(np.float32)))
    # OpenVINO's order: forget, input, candidate, output.
    forget, take, candidate, give = operations.split(gates, 1, 4).outputs()
    kept = operations.multiply(operations.sigmoid(forget), _without(cell, 1))
    new = operations.multiply(operations.sigmoid(take), operations.tanh(candidate))
    following = operations.add(kept, new)
    output = operations.multiply(operations.sigmoid(give), operations.tanh(following))
    state = operations.unsqueeze(output, 1).output(0)
    node.output(0).replace(operations.unsqueeze(state, 1).output(0))
    node.output(1).replace(state)
    node.output(2).replace(operations.unsqueeze(following, 1).output(0))


def _without(value: Any, axis: int) -> Any:
    return operations.squeeze(value, operations.constant([axis]))


def _constant(value: Any) -> np.ndarray[Any, Any]:
    """What a weight holds, behind the conversion from fp16 if there is one."""
    node = value.get_node()
    if node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Constant":
        raise ValueError(f"the LSTM's weights are computed, by {node.get_type_name()}")
    return np.asarray(node.get_data())
