"""CIDEr-D (Vedantam et al. 2015) on token numbers, fast enough to be a reward.

Same values as pycocoevalcap's, whose document frequencies come from the references given.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["CiderReward"]

_N = 4
_SIGMA = 6.0

Ngram = tuple[int, ...]


def _count(tokens: Sequence[int]) -> Counter[Ngram]:
    return Counter(
        tuple(tokens[start : start + n])
        for n in range(1, _N + 1)
        for start in range(len(tokens) - n + 1)
    )


class _Vector:
    """TF-IDF of a sentence's n-grams, and what is needed for a cosine."""

    __slots__ = ("bigrams", "norms", "weights")

    def __init__(
        self, counts: Counter[Ngram], frequencies: Mapping[Ngram, float], log_documents: float
    ) -> None:
        self.weights = {
            ngram: count * (log_documents - frequencies.get(ngram, 0.0))
            for ngram, count in counts.items()
        }
        squares = [0.0] * _N
        bigrams = 0
        for ngram, weight in self.weights.items():
            squares[len(ngram) - 1] += weight * weight
            if len(ngram) == 2:
                bigrams += counts[ngram]
        self.norms = [math.sqrt(square) for square in squares]
        self.bigrams = bigrams  # pycocoevalcap's idea of a sentence's length


class CiderReward:
    """Scores captions of photos whose references are known.

    Args:
        references: Per photo its captions as token numbers. Where ``<EOS>`` is to count (else a
            third of the captions trained on this reward end in "with a"), it is at their ends.
    """

    def __init__(self, references: Mapping[str, Iterable[Sequence[int]]]) -> None:
        counted = {name: [_count(tokens) for tokens in own] for name, own in references.items()}
        documents: Counter[Ngram] = Counter()
        for own in counted.values():
            documents.update({ngram for counts in own for ngram in counts})
        self._frequencies = {ngram: math.log(count) for ngram, count in documents.items()}
        self._log_documents = math.log(len(counted))
        self._references = {
            name: [self._vector(counts) for counts in own] for name, own in counted.items()
        }

    def _vector(self, counts: Counter[Ngram]) -> _Vector:
        return _Vector(counts, self._frequencies, self._log_documents)

    def __call__(
        self, names: Sequence[str], captions: Sequence[Sequence[int]]
    ) -> npt.NDArray[np.float32]:
        """CIDEr-D of each caption for the photo of that name: float32, shape (N,), 0 to 10."""
        return np.array(
            [self._score(name, tokens) for name, tokens in zip(names, captions, strict=True)],
            dtype=np.float32,
        )

    def _score(self, name: str, tokens: Sequence[int]) -> float:
        caption = self._vector(_count(tokens))
        total = 0.0
        for reference in self._references[name]:
            products = [0.0] * _N
            theirs = reference.weights
            for ngram, weight in caption.weights.items():
                other = theirs.get(ngram)
                if other is not None:
                    products[len(ngram) - 1] += min(weight, other) * other
            delta = caption.bigrams - reference.bigrams
            penalty = math.exp(-(delta * delta) / (2 * _SIGMA * _SIGMA))
            total += penalty * sum(
                product / (own * other_norm) if own and other_norm else 0.0
                for product, own, other_norm in zip(
                    products, caption.norms, reference.norms, strict=True
                )
            )
        return 10.0 * total / _N / len(self._references[name])
