"""The decoders, by family.

A decoder of any kind is driven by four methods, the same that an exported bundle offers:

* ``memory(regions)``: what stays the same for one photo while its caption is written,
* ``initial_state(memory)``: what changes from word to word, before the first word,
* ``step(token, memory, state)``: log-probabilities of the next word, and the next state,
* ``forward(memory, tokens)``: all steps at once under teacher forcing.

Every tensor of memory and state has the batch first, so that beam search can repeat and
reorder its rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_server.captioning.decoders.attention import AttentionLSTMDecoder
from model_server.captioning.decoders.base import LSTMDecoder, Memory, State, repeat_vectors
from model_server.captioning.decoders.merge import MergeLSTMDecoder
from model_server.captioning.decoders.pooled import PooledLSTMDecoder
from model_server.captioning.decoders.transformer import TransformerDecoder

__all__ = [
    "DECODERS",
    "AttentionLSTMDecoder",
    "LSTMDecoder",
    "Memory",
    "MergeLSTMDecoder",
    "PooledLSTMDecoder",
    "State",
    "TransformerDecoder",
    "build_decoder",
    "repeat_vectors",
]

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
