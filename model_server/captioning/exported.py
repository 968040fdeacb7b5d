"""A captioner in the shape in which it is served: an encoder, and a decoder of one step.

Training traces these two modules into the bundle, and the torch engine runs them as they are, so
that both engines take and give the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model_server.captioning.networks import CNNEncoder, ImageCaptioningModel, ResNet

__all__ = ["ExportedDecoder", "ExportedEncoder", "NsfwBranch"]


class NsfwBranch(nn.Module):
    """Yahoo's score beside a fine-tuned encoder: the tuned stages are kept twice.

    Args:
        stages: The untouched network's stages behind those that both share.
        classifier: Behind their pooled features.
        shared: How many stages both share.
    """

    def __init__(self, stages: list[nn.Module], classifier: nn.Linear, shared: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.classifier = classifier
        self.shared = shared

    @classmethod
    def beside(cls, tuned: ResNet, original: ResNet, classifier: nn.Linear) -> NsfwBranch:
        """The branch of a network that was tuned.

        Raises:
            ValueError: Its first layers were tuned, too, so that there is nothing to share.
        """
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
        shared = next((n for n, equal in enumerate(same[2:]) if not equal), len(tuned.stages))
        behind = [original.get_submodule(stage) for stage in original.stages[shared:]]
        return cls(behind, classifier, shared)

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
