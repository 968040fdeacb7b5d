"""The captioners' networks in torch: for training, and for the torch engine."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model_server.captioning.decoders import (
    DECODERS,
    AttentionLSTMDecoder,
    LSTMDecoder,
    MergeLSTMDecoder,
    PooledLSTMDecoder,
    TransformerDecoder,
    build_decoder,
    repeat_vectors,
)
from model_server.captioning.resnet import ResNet

__all__ = [
    "DECODERS",
    "AttentionLSTMDecoder",
    "CNNEncoder",
    "ImageCaptioningModel",
    "LSTMDecoder",
    "MergeLSTMDecoder",
    "PooledLSTMDecoder",
    "ResNet",
    "TransformerDecoder",
    "build_decoder",
    "repeat_vectors",
]


class CNNEncoder(nn.Module):
    """A convolutional network whose last feature map is read as a set of regions.

    Args:
        backbone: Images (N, 3, H, W) → feature map (N, channels, h, w).
        channels: Of the feature map.
    """

    def __init__(self, backbone: nn.Module, channels: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.channels = channels

    def forward(self, images: Tensor) -> Tensor:
        """Shape (N, 3, H, W) → regions (N, h x w, channels)."""
        features: Tensor = self.backbone(images)
        return features.flatten(2).transpose(1, 2)


class ImageCaptioningModel(nn.Module):
    """Encoder and decoder: photos in, words out."""

    def __init__(self, encoder: CNNEncoder, decoder: LSTMDecoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, images: Tensor, tokens: Tensor) -> Tensor:
        """Images (N, 3, H, W) and tokens (N, T) → logits (N, T, vocabulary)."""
        memory = self.decoder.memory(self.encoder(images))
        return self.decoder.logits(self.decoder(memory, tokens))

    @torch.inference_mode()
    def greedy(self, regions: Tensor, start: int, end: int, max_length: int = 20) -> Tensor:
        """The likeliest word at each step: regions (N, K, features) → tokens (N, ≤ max_length)."""
        memory = self.decoder.memory(regions)
        state = self.decoder.initial_state(memory)
        token = torch.full((len(regions),), start, device=regions.device)
        done = torch.zeros_like(token, dtype=torch.bool)
        words = []
        for _ in range(max_length):
            log_probs, state = self.decoder.step(token, memory, state)
            token = log_probs.argmax(-1).masked_fill(done, end)
            words.append(token)
            done |= token == end
            if bool(done.all()):
                break
        return torch.stack(words, 1)
