"""Our embedder: dlib's trunk, and a head that keeps where on the face a feature was seen."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from model_server.analysis import Image
from model_server.imaging import Preprocessing, preprocess
from training.embedder.crops import SIDE
from training.embedder.dlib_network import MEAN_RGB, DlibResNet

__all__ = ["PREPROCESSING", "FaceNetwork", "to_tensor"]

PREPROCESSING = Preprocessing(
    *(SIDE, SIDE, "RGB", MEAN_RGB, (256.0, 256.0, 256.0)),
    tone="adapted",
    shoulder=0.5,
    smoothing=1.2,
    colour_smoothing=4.0,
)
"""As dlib takes its faces, smoothed and with the light divided out."""

_BLOCKS = 13
"""dlib's last block is left out; the head sees all cells of its input, 256 x 4 x 4."""

_FEATURES = 256 * 4 * 4


class FaceNetwork(nn.Module):
    """Embeds aligned faces.

    dlib averages its last feature map over the face; here a linear layer sees every cell
    of it, so that an eye and a chin may count differently.

    Input: float32 (N, 3, 150, 150), see :data:`PREPROCESSING`.
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

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """What the head sees: (N, 3, 150, 150) to standardised features, (N, 4096)."""
        x = functional.max_pool2d(functional.relu(self.stem(x)), 3, 2)
        y: torch.Tensor = self.blocks(x)
        return (y.flatten(1).float() - self.mean) / self.deviation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The embedding, shape (N, dimension)."""
        embedded: torch.Tensor = self.embedding(self.features(x))
        return embedded


def to_tensor(images: Image) -> torch.Tensor:
    """Input of the network, of faces of shape (N, 150, 150, 3)."""
    tensor = torch.from_numpy(np.stack([preprocess(image, PREPROCESSING) for image in images]))
    return tensor.contiguous(memory_format=torch.channels_last)
