"""Runs networks with OpenVINO, the default on CPUs."""

from __future__ import annotations

import queue
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openvino as ov

from model_server.engines import Array
from model_server.errors import BundleError

__all__ = ["OpenVinoEngine"]


class OpenVinoEngine:
    """Compiles networks for the CPU, one stream per thread that may call them.

    Args:
        streams: Calls that may run at the same time, each on its share of the
            cores. With one stream a single call uses every core.
        threads: Cores to use in all; 0 leaves it to OpenVINO.
    """

    def __init__(self, streams: int = 1, threads: int = 0) -> None:
        self._core = ov.Core()
        self._streams = streams
        self._properties: dict[str, object] = {
            "PERFORMANCE_HINT": "THROUGHPUT" if streams > 1 else "LATENCY",
            "NUM_STREAMS": streams,
        }
        if threads:
            self._properties["INFERENCE_NUM_THREADS"] = threads

    def load(self, path: Path) -> OpenVinoSession:
        """Compiles the network at ``path`` (.xml, .onnx or .tflite)."""
        try:
            compiled = self._core.compile_model(path, "CPU", self._properties)
        except RuntimeError as error:
            raise BundleError(f"{path.name} is not a network that OpenVINO can load") from error
        return OpenVinoSession(compiled, self._streams)


class OpenVinoSession:
    """A compiled network with a pool of inference requests."""

    def __init__(self, compiled: ov.CompiledModel, requests: int) -> None:
        self._input_shapes = {
            port.any_name: tuple(
                -1 if dimension.is_dynamic else dimension.get_length()
                for dimension in port.partial_shape
            )
            for port in compiled.inputs
        }
        self._output_names = tuple(port.any_name for port in compiled.outputs)
        self._requests: queue.SimpleQueue[ov.InferRequest] = queue.SimpleQueue()
        for _ in range(requests):
            self._requests.put(compiled.create_infer_request())

    @property
    def input_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of each input by name; -1 where a dimension is free."""
        return self._input_shapes

    @property
    def output_names(self) -> Sequence[str]:
        """Names of the outputs, in the network's order."""
        return self._output_names

    def run(self, inputs: Mapping[str, Array]) -> dict[str, npt.NDArray[np.float32]]:
        """Runs the network once, waiting for a free stream if need be."""
        request = self._requests.get()
        try:
            # By hand: infer() would look at every input's type first, and copy all outputs,
            # which takes longer than a small network.
            for name, value in inputs.items():
                tensor = ov.Tensor(np.ascontiguousarray(value), shared_memory=True)
                request.set_tensor(name, tensor)
            request.infer(share_outputs=True)
            return {
                name: np.array(request.get_output_tensor(index).data, dtype=np.float32)
                for index, name in enumerate(self._output_names)
            }
        finally:
            self._requests.put(request)
