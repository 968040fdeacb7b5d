"""Runs networks with OpenVINO, the default on CPUs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openvino as ov

from model_server.engines import Array
from model_server.errors import BundleError

__all__ = ["OpenVinoEngine"]


class OpenVinoEngine:
    """Compiles networks for the CPU.

    Args:
        copies: Calls of a network that may run at the same time.
        threads: Cores that a call uses; 0 leaves it to OpenVINO, which takes all. With one,
            a network runs on the thread that calls it: nothing is handed over, and what the
            core has in its cache stays of use. OpenVINO's own way to many calls, streams, has
            threads of its own and takes more of the processor's time for a photo.
        at_once: Networks that compute at the same time, whichever they are: as many as there
            are cores, or else a thread that holds Python's lock waits for a core while the
            others compute, and everybody who wants the lock waits with it. None: ``copies``.
    """

    def __init__(self, copies: int = 1, threads: int = 0, at_once: int | None = None) -> None:
        self._core = ov.Core()
        self._copies = copies
        self._cores = threading.BoundedSemaphore(at_once or copies)
        self._properties: dict[str, object] = {"INFERENCE_NUM_THREADS": threads}
        if threads == 1:
            # Without pinning: OpenVINO would pin them all to the same core.
            self._properties |= {"NUM_STREAMS": 0, "ENABLE_CPU_PINNING": False}
        else:
            self._properties |= {"NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}

    def load(self, path: Path) -> OpenVinoSession:
        """Compiles the network at ``path`` (.xml, .onnx or .tflite)."""
        try:
            model = self._core.read_model(path)
            with ThreadPoolExecutor(self._copies) as pool:
                compiled = list(pool.map(self._compile, [model] * self._copies))
        except RuntimeError as error:
            raise BundleError(f"{path.name} is not a network that OpenVINO can load") from error
        return OpenVinoSession(compiled, self._cores)

    def _compile(self, model: ov.Model) -> ov.CompiledModel:
        return self._core.compile_model(model, "CPU", self._properties)


class OpenVinoSession:
    """A compiled network.

    Args:
        copies: As many as calls of it may run at the same time.
        cores: Taken while it computes; shared with the other networks.
    """

    def __init__(
        self, copies: Sequence[ov.CompiledModel], cores: threading.BoundedSemaphore
    ) -> None:
        compiled = copies[0]
        self._cores = cores
        self._input_shapes = {
            port.any_name: tuple(
                -1 if dimension.is_dynamic else dimension.get_length()
                for dimension in port.partial_shape
            )
            for port in compiled.inputs
        }
        self._output_names = tuple(port.any_name for port in compiled.outputs)
        self._requests: queue.SimpleQueue[ov.InferRequest] = queue.SimpleQueue()
        for copy in copies:
            self._requests.put(copy.create_infer_request())

    @property
    def input_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of each input by name; -1 where a dimension is free."""
        return self._input_shapes

    @property
    def output_names(self) -> Sequence[str]:
        """Names of the outputs, in the network's order."""
        return self._output_names

    def run(self, inputs: Mapping[str, Array]) -> dict[str, npt.NDArray[np.float32]]:
        """Runs the network once, waiting for a free copy if need be."""
        request = self._requests.get()
        try:
            # By hand: infer() would look at every input's type first, and copy all outputs,
            # which takes longer than a small network.
            for name, value in inputs.items():
                tensor = ov.Tensor(np.ascontiguousarray(value), shared_memory=True)
                request.set_tensor(name, tensor)
            with self._cores:
                request.infer(share_outputs=True)
            return {
                name: np.array(request.get_output_tensor(index).data, dtype=np.float32)
                for index, name in enumerate(self._output_names)
            }
        finally:
            self._requests.put(request)
