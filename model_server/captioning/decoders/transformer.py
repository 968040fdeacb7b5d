"""Transformer decoder: attention over the words so far, then over the regions."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the field's name for it)

from model_server.captioning.decoders.base import LSTMDecoder, Memory, State

__all__ = ["TransformerDecoder"]


class TransformerDecoder(LSTMDecoder):
    """Pre-norm Transformer decoder (Vaswani et al. 2017); its state is the words so far.

    Args:
        vocabulary: Number of words.
        features: Channels of a region.
        hidden: Width of the model.
        dropout: Everywhere.
        heads: Attention heads.
        layers: Blocks.
        max_length: Longest caption in words, the start counted.
    """

    def __init__(
        self,
        vocabulary: int,
        features: int,
        hidden: int = 512,
        dropout: float = 0.3,
        *,
        heads: int = 8,
        layers: int = 3,
        max_length: int = 40,
    ) -> None:
        super().__init__(vocabulary, features, hidden, dropout)
        del self.lstm
        self.max_length = max_length
        self.options |= {"heads": heads, "layers": layers, "max_length": max_length}
        self.norm = nn.LayerNorm(features)
        self.position = nn.Parameter(torch.randn(max_length, hidden) * 0.02)
        self.blocks = nn.ModuleList(_DecoderBlock(hidden, heads, dropout) for _ in range(layers))
        self.final = nn.LayerNorm(hidden)

    def memory(self, regions: Tensor) -> Memory:
        """Projected regions (N, K, hidden)."""
        return {"regions": self.dropout(F.relu(self.image(self.norm(regions))))}

    def initial_state(self, memory: Mapping[str, Tensor]) -> State:
        """No words yet: (N, max_length) of padding and how many are filled, (N, 1)."""
        rows = memory["regions"].new_zeros((memory["regions"].shape[0], 1))
        return {"words": rows.repeat(1, self.max_length), "filled": rows}

    def forward(self, memory: Mapping[str, Tensor], tokens: Tensor) -> Tensor:
        """As :meth:`LSTMDecoder.forward`."""
        length = tokens.shape[1]
        x = self.embed(tokens) + self.position[:length]
        for block in self.blocks:
            x = block(x, memory["regions"])
        combined: Tensor = self.dropout(self.final(x))
        return combined

    def step(
        self, token: Tensor, memory: Mapping[str, Tensor], state: Mapping[str, Tensor]
    ) -> tuple[Tensor, State]:
        """As :meth:`LSTMDecoder.step`; reads the whole sentence again, which is short."""
        filled = state["filled"]
        places = torch.arange(self.max_length, device=token.device, dtype=filled.dtype)
        here = (places == filled).to(filled.dtype)  # (N, max_length), one 1 a row
        words = state["words"] * (1 - here) + token.to(filled.dtype).unsqueeze(1) * here
        combined = self(memory, words.long())
        last = (combined * here.unsqueeze(-1)).sum(1)
        return self.log_probs(last), {"words": words, "filled": filled + 1}


class _DecoderBlock(nn.Module):
    """Self-attention over the words before, attention over the regions, feed-forward."""

    def __init__(self, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.size = hidden // heads
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(3))
        self.own = nn.Linear(hidden, 3 * hidden)
        self.own_out = nn.Linear(hidden, hidden)
        self.query = nn.Linear(hidden, hidden)
        self.regions = nn.Linear(hidden, 2 * hidden)
        self.regions_out = nn.Linear(hidden, hidden)
        self.feed = nn.Sequential(
            nn.Linear(hidden, 4 * hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * hidden, hidden),
        )
        self.dropout = nn.Dropout(dropout)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, *, causal: bool) -> Tensor:
        shape = query.shape
        query = query.reshape(key.shape[0], -1, shape[2])
        query, key, value = (
            x.reshape(*x.shape[:2], self.heads, self.size).transpose(1, 2)
            for x in (query, key, value)
        )
        scores = query @ key.transpose(-1, -2) / math.sqrt(self.size)
        if causal:
            length = query.shape[2]
            later = torch.ones(length, length, device=query.device).triu(1).bool()
            scores = scores.masked_fill(later, -1e4)
        mixed: Tensor = torch.softmax(scores, -1) @ value
        return mixed.transpose(1, 2).reshape(shape)

    def forward(self, x: Tensor, regions: Tensor) -> Tensor:
        """Words (N, T, hidden) and regions (N, K, hidden) → (N, T, hidden)."""
        query, key, value = self.own(self.norms[0](x)).chunk(3, -1)
        x = x + self.dropout(self.own_out(self._attend(query, key, value, causal=True)))
        key, value = self.regions(regions).chunk(2, -1)
        found = self._attend(self.query(self.norms[1](x)), key, value, causal=False)
        x = x + self.dropout(self.regions_out(found))
        fed: Tensor = self.dropout(self.feed(self.norms[2](x)))
        return x + fed
