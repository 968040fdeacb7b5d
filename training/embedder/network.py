"""Our embedder: dlib's trunk, and a head that keeps where on the face a feature was seen."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from training.embedder.dlib_network import DlibResNet

__all__ = ["LOWER_SHAPE", "FaceNetwork"]

LOWER_SHAPE = (64, 17, 17)
"""Of what the lower half hands to the upper one: channels, rows, columns."""

_LOWER = 7
_BLOCKS = 13
"""dlib's last block is left out; the head sees all cells of its input, 256 x 4 x 4."""

_FEATURES = 256 * 4 * 4


class FaceNetwork(nn.Module):
    """Embeds aligned faces.

    dlib averages its last feature map over the face; here a linear layer sees every cell
    of it, so that an eye and a chin may count differently.

    Input: float32 (N, 3, 150, 150), RGB, 0..255 minus dlib's mean, over 256.
    Output: (N, dimension), not normalised.

    Args:
        trunk: dlib's network; its last block and its embedding are not used.
        dimension: Of the embedding.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, trunk: DlibResNet, dimension: int) -> None:
        super().__init__()
        self.stem = trunk.stem
        self.blocks = nn.Sequential(*list(trunk.blocks)[:_BLOCKS])
        # Of the features before training: centred, the head's steps are well conditioned.
        self.register_buffer("mean", torch.zeros(_FEATURES))
        self.register_buffer("deviation", torch.ones(_FEATURES))
        self.embedding = nn.Linear(_FEATURES, dimension)

    def freeze_lower(self) -> None:
        """Leaves the lower half as dlib trained it."""
        self.stem.requires_grad_(requires_grad=False)
        self.blocks[:_LOWER].requires_grad_(requires_grad=False)

    def lower(self, x: torch.Tensor) -> torch.Tensor:
        """Stem and first blocks: (N, 3, 150, 150) to (N, 64, 17, 17)."""
        x = functional.max_pool2d(functional.relu(self.stem(x)), 3, 2)
        y: torch.Tensor = self.blocks[:_LOWER](x)
        return y

    def features(self, lower: torch.Tensor) -> torch.Tensor:
        """Other blocks: (N, 64, 17, 17) to standardised features, (N, 4096)."""
        y: torch.Tensor = self.blocks[_LOWER:](lower)
        return (y.flatten(1).float() - self.mean) / self.deviation

    def upper(self, lower: torch.Tensor) -> torch.Tensor:
        """Other blocks and head: (N, 64, 17, 17) to (N, dimension)."""
        embedded: torch.Tensor = self.embedding(self.features(lower))
        return embedded

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The embedding, shape (N, dimension)."""
        return self.upper(self.lower(x))
