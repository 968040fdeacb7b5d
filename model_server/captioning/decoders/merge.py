"""Merge: photo and sentence meet behind the LSTM."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the field's name for it)

from model_server.captioning.decoders.base import LSTMDecoder

__all__ = ["MergeLSTMDecoder"]


class MergeLSTMDecoder(LSTMDecoder):
    """Merge (Tanti et al. 2018): the LSTM reads words only; the photo is added behind it."""

    def __init__(
        self, vocabulary: int, features: int, hidden: int = 512, dropout: float = 0.5
    ) -> None:
        super().__init__(vocabulary, features, hidden, dropout)
        self.merge = nn.Linear(hidden, hidden)

    def combine(self, hidden: Tensor, memory: Mapping[str, Tensor]) -> Tensor:
        """Photo and words added, then one more layer."""
        return F.relu(self.merge(hidden + memory["pooled"].unsqueeze(1)))
