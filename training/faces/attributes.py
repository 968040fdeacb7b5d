"""The attribute head: one logit for each value of each attribute, and how logits are read.

The head is also the yardstick of the captioner: both read the same features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the field's name for it)

from model_server.captioning.networks import CNNEncoder
from model_server.imaging import Preprocessing, preprocess
from training.faces.labels import PRESENT, UNKNOWN, VALUES
from training.faces.portraits import Portraits

__all__ = ["AttributeHead", "average_precision", "best_thresholds", "head_logits", "masked_loss"]

Floats = npt.NDArray[np.float32]
Table = npt.NDArray[np.int8]


class AttributeHead(nn.Module):
    """Pooled features → one logit for each value of each attribute.

    Args:
        channels: Of the features.
        dropout: Before the linear layer.
    """

    def __init__(self, channels: int, dropout: float = 0.3) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(channels, len(VALUES))

    def forward(self, regions: Tensor) -> Tensor:
        """Regions (N, K, channels) → logits (N, len(VALUES))."""
        logits: Tensor = self.linear(self.dropout(self.norm(regions.mean(1))))
        return logits


def masked_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean binary cross-entropy over what is known; -1 in ``targets`` is unknown."""
    known = targets != UNKNOWN
    return F.binary_cross_entropy_with_logits(logits[known], targets[known])


@torch.inference_mode()
def head_logits(
    encoder: CNNEncoder,
    head: AttributeHead,
    preprocessing: Preprocessing,
    portraits: Portraits,
    names: Sequence[str],
    *,
    batch: int = 32,
) -> Floats:
    """The head's logits for portraits as the server cuts them, shape (N, len(VALUES))."""
    found = []
    for start in range(0, len(names), batch):
        images = [
            preprocess(portraits.open(name), preprocessing) for name in names[start : start + batch]
        ]
        found.append(head(encoder(torch.from_numpy(np.stack(images)))))
    logits: Floats = torch.cat(found).float().numpy()
    return logits


def average_precision(logits: Floats, table: Table) -> float:
    """Mean over the values of the average precision on what is known."""
    scores = []
    for column in range(table.shape[1]):
        known = table[:, column] != UNKNOWN
        truth = table[known, column] == 1
        if not truth.any():
            continue
        ranked = truth[np.argsort(-logits[known, column], kind="stable")]
        precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
        scores.append(float(precision[ranked].mean()))
    return float(np.mean(scores))


def best_thresholds(logits: Floats, table: Table) -> Floats:
    """The threshold, the same for every value, that gives the best micro F1 on what is known.

    One probability for all is what is best for micro F1 (Lipton et al. 2014), and unlike one for
    each value it does not follow the noise of the rare ones.

    Returns:
        Shape (values,), logits.
    """
    known = table != UNKNOWN
    order = np.argsort(-logits[known], kind="stable")
    ranked, truth = logits[known][order], (table[known] == PRESENT)[order]
    hits = np.cumsum(truth)
    cut = int((2 * hits / (np.arange(1, len(truth) + 1) + truth.sum())).argmax())
    following = ranked[cut + 1] if cut + 1 < len(ranked) else ranked[cut] - 1
    return np.full(table.shape[1], (ranked[cut] + following) / 2, np.float32)
