"""Runs captioners with torch: on CUDA, and as the reference for what OpenVINO gives.

Only this file's users import torch; the default server does without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from model_server.captioning.exported import ExportedDecoder, ExportedEncoder, NsfwBranch
from model_server.captioning.networks import ImageCaptioningModel
from model_server.captioning.weights import WEIGHTS, load_weights
from model_server.engines import Array, Engine, Session

__all__ = ["TorchEngine", "TorchSession", "torch_sessions"]


class TorchSession:
    """Runs a module. Thread-safe, as modules in evaluation mode are.

    Args:
        module: Encoder or decoder as it is exported.
        inputs: Names of its arguments.
        outputs: Names of what it returns.
        device: Where to compute.
    """

    def __init__(
        self, module: nn.Module, inputs: Sequence[str], outputs: Sequence[str], device: str = "cpu"
    ) -> None:
        self._module = module.eval().to(device)
        self._inputs = tuple(inputs)
        self._outputs = tuple(outputs)
        self._device = device

    @property
    def input_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Names of the inputs; torch leaves every dimension free."""
        return dict.fromkeys(self._inputs, (-1,))

    @property
    def output_names(self) -> Sequence[str]:
        """Names of the outputs."""
        return self._outputs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, npt.NDArray[np.float32]]:
        """Runs the module once."""
        given = (torch.from_numpy(np.ascontiguousarray(inputs[name])) for name in self._inputs)
        with torch.inference_mode():
            found = self._module(*(value.to(self._device) for value in given))
        return {
            name: value.float().cpu().numpy()
            for name, value in zip(self._outputs, found, strict=True)
        }


class TorchEngine:
    """Loads captioners from the weights.safetensors of their bundles.

    Args:
        others: Runs the networks that have no torch weights: detector, mesh, embedder.
        device: "cpu" or "cuda"; by default CUDA where there is one.
    """

    def __init__(self, others: Engine, device: str | None = None) -> None:
        self._others = others
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._loaded: dict[Path, tuple[TorchSession, TorchSession]] = {}

    def load(self, path: Path) -> Session:
        """Loads the encoder or decoder at ``path``, or lets the other engine load it.

        Raises:
            BundleError: The weights cannot be read, or are of an encoder that only training knows.
        """
        folder, part = path.parent, path.stem
        if part not in {"encoder", "decoder"} or not (folder / WEIGHTS).exists():
            return self._others.load(path)
        if folder not in self._loaded:
            self._loaded[folder] = torch_sessions(*load_weights(folder / WEIGHTS), self._device)
        encoder, decoder = self._loaded[folder]
        return encoder if part == "encoder" else decoder


def torch_sessions(
    model: ImageCaptioningModel, nsfw: NsfwBranch | None = None, device: str = "cpu"
) -> tuple[TorchSession, TorchSession]:
    """Encoder and decoder of a model, as beam search takes them."""
    encoder = ExportedEncoder(model.eval(), nsfw)
    decoder = ExportedDecoder(encoder)
    return (
        TorchSession(encoder, ["image"], encoder.names, device),
        TorchSession(decoder, decoder.inputs, decoder.names, device),
    )
