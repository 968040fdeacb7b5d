"""The captioners' networks in torch: for training, and for the torch engine.

A decoder of any kind is driven by four methods, the same that an exported bundle offers:

* ``memory(regions)``: what stays the same for one photo while its caption is written,
* ``initial_state(memory)``: what changes from word to word, before the first word,
* ``step(token, memory, state)``: log-probabilities of the next word, and the next state,
* ``forward(regions, tokens)``: all steps at once under teacher forcing.

Every tensor of memory and state has the batch first, so that beam search can repeat and
reorder its rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the field's name for it)

from model_server.captioning.resnet import ResNet
from model_server.captioning.vocabulary import PAD, START, UNKNOWN

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


class LSTMDecoder(nn.Module):
    """What the decoders share: word embeddings tied to the output layer, and the LSTM.

    Args:
        vocabulary: Number of words.
        features: Channels of a region.
        hidden: Units of the LSTM; also the size of a word's embedding.
        dropout: On embeddings and before the output layer.
    """

    never: Tensor
    start_only: tuple[str, ...] = ()
    """Parts of the memory that only :meth:`initial_state` reads."""

    def __init__(
        self, vocabulary: int, features: int, hidden: int = 512, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.hidden = hidden
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


class PooledLSTMDecoder(LSTMDecoder):
    """Show and Tell (Vinyals et al. 2015): the LSTM reads the pooled photo, then the words."""

    start_only = ("pooled",)

    def initial_state(self, memory: Mapping[str, Tensor]) -> State:
        """The state after the LSTM has read the photo."""
        zero = torch.zeros_like(memory["pooled"]).unsqueeze(0)
        _, (h, c) = self.lstm(memory["pooled"].unsqueeze(1), (zero, zero))
        return {"h": h[0], "c": c[0]}


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
        self.norm = nn.LayerNorm(features)
        self.start = nn.Linear(features, 2 * hidden)
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(features, hidden)
        self.value = nn.Linear(features, hidden)
        self.gate = nn.Linear(2 * hidden, 2 * hidden)

    def memory(self, regions: Tensor) -> Memory:
        """Keys and values of the regions (N, K, hidden), pooled photo and first state (N, ·)."""
        regions = self.norm(regions)
        pooled = regions.mean(1)
        regions = self.dropout(regions)
        return {
            "pooled": self.image(pooled),
            "start": torch.tanh(self.start(pooled)),
            "keys": self.key(regions),
            "values": self.value(regions),
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
        scores = query @ self._split(memory["keys"]).transpose(-1, -2)
        weights = torch.softmax(scores / math.sqrt(self.hidden / self.heads), -1)
        context = (weights @ self._split(memory["values"])).transpose(1, 2).reshape(hidden.shape)
        return F.glu(self.gate(torch.cat((hidden, context), -1)), -1)


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


DECODERS: Mapping[str, type[LSTMDecoder]] = {
    "pooled": PooledLSTMDecoder,
    "merge": MergeLSTMDecoder,
    "attention": AttentionLSTMDecoder,
    "transformer": TransformerDecoder,
}
"""The decoders by the name that a configuration gives them."""


def build_decoder(name: str, vocabulary: int, features: int, **options: Any) -> LSTMDecoder:
    """Makes the decoder called ``name``.

    Raises:
        ValueError: There is none of that name.
    """
    if name not in DECODERS:
        raise ValueError(f'no decoder is called "{name}"; there are {", ".join(DECODERS)}')
    return DECODERS[name](vocabulary, features, **options)


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
