"""What the decoders share: embeddings tied to the output layer, an LSTM, one step."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the field's name for it)

from model_server.captioning.vocabulary import PAD, START, UNKNOWN

__all__ = ["LSTMDecoder", "Memory", "State", "repeat_vectors"]

Memory = dict[str, Tensor]
State = dict[str, Tensor]


def repeat_vectors(memory: Mapping[str, Tensor], rows: int) -> Memory:
    """Gives every caption its photo's vectors; sets of regions stay shared among captions."""
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return dict(memory)  # a served decoder has as many photos as captions
    return {
        name: value
        if value.dim() > 2 or value.shape[0] == rows
        else value.repeat_interleave(rows // value.shape[0], 0)
        for name, value in memory.items()
    }


class LSTMDecoder(nn.Module):
    """What the decoders share: word embeddings tied to the output layer, and the LSTM.

    Args:
        vocabulary: Number of words.
        features: Channels of a region.
        hidden: Units of the LSTM; also the size of a word's embedding.
        dropout: On embeddings and before the output layer.

    Attributes:
        options: What a decoder like this one is built with, besides the sizes and dropout.
    """

    never: Tensor
    start_only: tuple[str, ...] = ()
    """Parts of the memory that only :meth:`initial_state` reads."""

    def __init__(
        self, vocabulary: int, features: int, hidden: int = 512, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.options = {"hidden": hidden}
        self.embedding = nn.Embedding(vocabulary, hidden, padding_idx=0)
        self.image = nn.Linear(features, hidden)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        self.output = nn.Linear(hidden, vocabulary)
        self.dropout = nn.Dropout(dropout)
        never = torch.zeros(vocabulary)
        never[[PAD, START, UNKNOWN]] = -1e4
        self.register_buffer("never", never, persistent=False)
        nn.init.normal_(self.embedding.weight, std=hidden**-0.5)
        self.output.weight = self.embedding.weight
        nn.init.zeros_(self.output.bias)

    def memory(self, regions: Tensor) -> Memory:
        """Regions (N, K, features) → what is kept per photo."""
        return {"pooled": self.image(regions.mean(1))}

    def initial_state(self, memory: Mapping[str, Tensor]) -> State:
        """Hidden and cell state of the LSTM, (N, hidden) each."""
        # Two tensors: one tensor cannot be two outputs of an exported encoder.
        return {name: torch.zeros_like(memory["pooled"]) for name in ("h", "c")}

    def inputs(self, tokens: Tensor, memory: Mapping[str, Tensor]) -> Tensor:  # noqa: ARG002
        """What the LSTM reads: tokens (N, T) → (N, T, hidden)."""
        return self.embed(tokens)

    def embed(self, tokens: Tensor) -> Tensor:
        """Tokens (N, T) → (N, T, hidden), scaled to about one a unit (Vaswani et al. 2017).

        The output layer shares these vectors and needs them small; the LSTM needs them to be as
        loud as the photo.
        """
        embedded: Tensor = self.dropout(self.embedding(tokens) * math.sqrt(self.hidden))
        return embedded

    def combine(self, hidden: Tensor, memory: Mapping[str, Tensor]) -> Tensor:  # noqa: ARG002
        """What the output layer reads: LSTM outputs (N, T, hidden) → (N, T, hidden)."""
        return hidden

    def forward(self, memory: Mapping[str, Tensor], tokens: Tensor) -> Tensor:
        """Teacher forcing: tokens (N, T), the first the start → (N, T, hidden), see :meth:`logits`.

        A row's padding comes after its words, so that it changes nothing before it. The memory
        may have fewer rows than ``tokens``: the captions of one photo then lie side by side.
        """
        memory = repeat_vectors(memory, tokens.shape[0])
        state = self.initial_state(memory)
        hidden, _ = self.lstm(
            self.inputs(tokens, memory),
            (state["h"].unsqueeze(0).contiguous(), state["c"].unsqueeze(0).contiguous()),
        )
        combined: Tensor = self.dropout(self.combine(hidden, memory))
        return combined

    def logits(self, combined: Tensor) -> Tensor:
        """Shape (…, hidden) → (…, vocabulary)."""
        logits: Tensor = self.output(combined)
        return logits

    def step(
        self, token: Tensor, memory: Mapping[str, Tensor], state: Mapping[str, Tensor]
    ) -> tuple[Tensor, State]:
        """One word: token (N,) → log-probabilities (N, vocabulary) and the next state.

        Among the words that may be said: <PAD>, <SOS> and <UNK> have no share. Without that,
        training on a reward would move probability to <UNK>, which it never sees punished.
        """
        memory = repeat_vectors(memory, token.shape[0])
        hidden, (h, c) = self.lstm(
            self.inputs(token.unsqueeze(1), memory),
            (state["h"].unsqueeze(0).contiguous(), state["c"].unsqueeze(0).contiguous()),
        )
        combined = self.dropout(self.combine(hidden, memory)).squeeze(1)
        return self.log_probs(combined), {"h": h[0], "c": c[0]}

    def log_probs(self, combined: Tensor) -> Tensor:
        """Of the next word, as :meth:`step` says."""
        return F.log_softmax(self.logits(combined).float() + self.never, -1)
