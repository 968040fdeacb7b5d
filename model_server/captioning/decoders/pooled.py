"""Show and Tell: the LSTM reads the pooled photo as its first word."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from model_server.captioning.decoders.base import LSTMDecoder, State

__all__ = ["PooledLSTMDecoder"]


class PooledLSTMDecoder(LSTMDecoder):
    """Show and Tell (Vinyals et al. 2015): the LSTM reads the pooled photo, then the words."""

    start_only = ("pooled",)

    def initial_state(self, memory: Mapping[str, Tensor]) -> State:
        """The state after the LSTM has read the photo."""
        zero = torch.zeros_like(memory["pooled"]).unsqueeze(0)
        _, (h, c) = self.lstm(memory["pooled"].unsqueeze(1), (zero, zero))
        return {"h": h[0], "c": c[0]}
