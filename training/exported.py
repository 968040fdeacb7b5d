"""A captioner in the shape in which it is served: an encoder, and a decoder of one step.

The same two modules are traced into the bundle and run by torch as reference, so that what is
evaluated is what is exported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model_server.captioning.networks import CNNEncoder, ImageCaptioningModel, ResNet
from model_server.engines import Array

__all__ = ["ExportedDecoder", "ExportedEncoder", "NsfwBranch", "TorchSession", "torch_sessions"]


class NsfwBranch(nn.Module):
    """Yahoo's score beside a fine-tuned encoder: the tuned stages are kept twice.

    Args:
        original: The untouched backbone.
        classifier: Behind its pooled features.
        tuned: The fine-tuned backbone.
    """

    def __init__(self, original: ResNet, classifier: nn.Linear, tuned: ResNet) -> None:
        super().__init__()
        same = [
            all(
                torch.equal(a, b)
                for a, b in zip(
                    original.get_submodule(stage).state_dict().values(),
                    tuned.get_submodule(stage).state_dict().values(),
                    strict=True,
                )
            )
            for stage in ("conv1", "bn1", *original.stages)
        ]
        if not all(same[:2]):
            raise ValueError("the first layers were tuned: there is nothing to share")
        self.shared = next((n for n, equal in enumerate(same[2:]) if not equal), len(tuned.stages))
        self.stages = nn.ModuleList(
            original.get_submodule(stage) for stage in original.stages[self.shared :]
        )
        self.classifier = classifier

    def forward(self, features: Tensor) -> Tensor:
        """What the shared stages give → probability that the photo is not safe for work, (N,)."""
        for stage in self.stages:
            features = stage(features)
        return torch.softmax(self.classifier(features.mean((2, 3))), -1)[:, 1]


class ExportedEncoder(nn.Module):
    """Image (N, 3, H, W) → memory and first state, flat, in the order of :attr:`names`.

    Args:
        model: Encoder and decoder.
        nsfw: Where the photo's NSFW score is wanted.
    """

    def __init__(self, model: ImageCaptioningModel, nsfw: NsfwBranch | None = None) -> None:
        super().__init__()
        self.model = model
        self.nsfw = nsfw
        with torch.inference_mode():
            # Whatever the decoder keeps and does not read at each step is left out.
            regions = torch.zeros(1, 4, model.encoder.channels)
            memory = model.decoder.memory(regions)
            state = model.decoder.initial_state(memory)
        self.memory_names = [name for name in memory if name not in model.decoder.start_only]
        self.state_names = list(state)
        self.names = [f"memory.{name}" for name in self.memory_names]
        self.names += [f"state.{name}" for name in self.state_names]
        self.names += ["nsfw"] if nsfw is not None else []

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """As the class says."""
        encoder: CNNEncoder = self.model.encoder
        outputs: list[Tensor] = []
        scores: list[Tensor] = []
        if self.nsfw is not None and isinstance(encoder.backbone, ResNet):
            backbone = encoder.backbone
            features = backbone.stem(image)
            for index, stage in enumerate(backbone.stages):
                if index == self.nsfw.shared:
                    scores.append(self.nsfw(features))
                features = backbone.get_submodule(stage)(features)
            if not scores:
                scores.append(self.nsfw(features))
            regions = features.flatten(2).transpose(1, 2)
        else:
            regions = encoder(image)
        memory = self.model.decoder.memory(regions)
        state = self.model.decoder.initial_state(memory)
        outputs += [memory[name] for name in self.memory_names]
        outputs += [state[name] for name in self.state_names]
        return tuple(outputs + scores)


class ExportedDecoder(nn.Module):
    """Token, memory and state → log-probabilities and the next state, flat."""

    def __init__(self, encoder: ExportedEncoder) -> None:
        super().__init__()
        self.decoder = encoder.model.decoder
        self.memory_names, self.state_names = encoder.memory_names, encoder.state_names
        self.inputs = [
            "token",
            *(f"memory.{name}" for name in self.memory_names),
            *(f"state.{name}" for name in self.state_names),
        ]
        self.names = ["log_probs", *(f"next.{name}" for name in self.state_names)]

    def forward(self, token: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """As the class says."""
        memory = dict(zip(self.memory_names, rest, strict=False))
        state = dict(zip(self.state_names, rest[len(memory) :], strict=True))
        log_probs, following = self.decoder.step(token, memory, state)
        return (log_probs, *(following[name] for name in self.state_names))


class TorchSession:
    """Runs one of these modules by torch: the reference for what OpenVINO gives.

    Args:
        module: In evaluation mode.
        inputs: Names of its arguments.
        outputs: Names of what it returns.
    """

    def __init__(self, module: nn.Module, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        self._module = module.eval()
        self._inputs = tuple(inputs)
        self._outputs = tuple(outputs)

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
        with torch.inference_mode():
            found = self._module(*(torch.from_numpy(inputs[name]) for name in self._inputs))
        return {
            name: value.float().numpy() for name, value in zip(self._outputs, found, strict=True)
        }


def torch_sessions(
    model: ImageCaptioningModel, nsfw: NsfwBranch | None = None
) -> tuple[TorchSession, TorchSession]:
    """Encoder and decoder of a model, as beam search takes them."""
    encoder = ExportedEncoder(model.eval(), nsfw)
    decoder = ExportedDecoder(encoder)
    return (
        TorchSession(encoder, ["image"], encoder.names),
        TorchSession(decoder, decoder.inputs, decoder.names),
    )
