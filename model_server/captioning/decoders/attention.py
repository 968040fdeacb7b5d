"""LSTM with spatial attention over the regions of the photo."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the field's name for it)

from model_server.captioning.decoders.base import LSTMDecoder, Memory, State

__all__ = ["AttentionLSTMDecoder"]


class AttentionLSTMDecoder(LSTMDecoder):
    """LSTM with spatial attention behind it (Lu et al. 2017), multi-headed and gated.

    The LSTM reads word and pooled photo; its output asks the regions (scaled dot product,
    Vaswani et al. 2017), and what both say goes through a gate (Huang et al. 2019). Attention
    does not feed back into the LSTM, so that teacher forcing runs all steps at once.
    """

    start_only = ("start",)

    def __init__(
        self,
        vocabulary: int,
        features: int,
        hidden: int = 512,
        dropout: float = 0.5,
        *,
        heads: int = 8,
    ) -> None:
        super().__init__(vocabulary, features, hidden, dropout)
        self.heads = heads
        self.options |= {"heads": heads}
        self.norm = nn.LayerNorm(features)
        self.start = nn.Linear(features, 2 * hidden)
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(features, hidden)
        self.value = nn.Linear(features, hidden)
        self.gate = nn.Linear(2 * hidden, 2 * hidden)

    def memory(self, regions: Tensor) -> Memory:
        """What is kept of each of N photos.

        Keys (N, heads, hidden / heads, K) and values (N, heads, K, hidden / heads) of its K
        regions, laid out as every step multiplies them; pooled photo and first state (N, ·).
        """
        regions = self.norm(regions)
        pooled = regions.mean(1)
        regions = self.dropout(regions)
        return {
            "pooled": self.image(pooled),
            "start": torch.tanh(self.start(pooled)),
            "keys": self._split(self.key(regions)).transpose(-1, -2).contiguous(),
            "values": self._split(self.value(regions)).contiguous(),
        }

    def initial_state(self, memory: Mapping[str, Tensor]) -> State:
        """The state made from the pooled photo."""
        h, c = memory["start"].chunk(2, -1)
        return {"h": h, "c": c}

    def inputs(self, tokens: Tensor, memory: Mapping[str, Tensor]) -> Tensor:
        """Word and photo."""
        return self.embed(tokens) + memory["pooled"].unsqueeze(1)

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.heads, self.hidden // self.heads).transpose(1, 2)

    def combine(self, hidden: Tensor, memory: Mapping[str, Tensor]) -> Tensor:
        """LSTM output and what attention found, through a gated linear unit."""
        # Captions of one photo ask its regions together: nothing is copied.
        rows = memory["keys"].shape[0]
        query = self._split(self.query(self.dropout(hidden)).reshape(rows, -1, self.hidden))
        scores = query @ memory["keys"]
        weights = torch.softmax(scores / math.sqrt(self.hidden / self.heads), -1)
        context = (weights @ memory["values"]).transpose(1, 2).reshape(hidden.shape)
        return F.glu(self.gate(torch.cat((hidden, context), -1)), -1)
