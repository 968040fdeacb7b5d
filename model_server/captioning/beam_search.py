"""Beam search over a decoder that runs one step at a time.

The decoder is a :class:`~model_server.engines.Session` with this contract (B rows, a
beam for each of N images; V words):

* inputs ``token`` int64 (B,); ``memory.*`` that stay the same for an image, vectors
  (B, D), and what is larger once for all rows of an image, (N, …); and ``state.*``
  (B, …) that change with every word;
* outputs ``log_probs`` (B, V) and ``next.*`` (B, …), the states after the word.

Because a row depends on nothing but itself, the beams of any number of images run
in one batch, and images may join and leave between two steps
(:class:`DecoderLoop`). Length normalisation after Wu et al., "Google's Neural
Machine Translation System", 2016, equation 14.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_server.analysis import FloatArray
from model_server.engines import Session

__all__ = ["BeamSearch", "DecoderLoop", "DecodingOptions", "Encoded", "Hypothesis", "search"]

MEMORY = "memory."
STATE = "state."
NEXT = "next."

_BLOCK = 64
"""Words looked at together where only the best of many are wanted."""


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How to search. Stored in a captioner's bundle as "decoding".

    Attributes:
        sos_id: Token that starts every caption.
        eos_id: Token that ends it.
        banned_ids: Tokens that are never chosen, such as <PAD>, <SOS> and <UNK>.
        beam_size: Hypotheses kept at each step; 1 is greedy.
        max_length: Words at the most; what is unfinished then is taken as it is.
        length_penalty: Exponent of the length normalisation; 0 prefers short captions.
        no_repeat: No sequence of so many words stands twice in a caption ("a red shirt
            and a red shirt"); 0 allows everything.
    """

    sos_id: int
    eos_id: int
    banned_ids: tuple[int, ...] = ()
    beam_size: int = 3
    max_length: int = 20
    length_penalty: float = 0.7
    no_repeat: int = 0


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A caption that the search found.

    Attributes:
        tokens: Without <SOS> and <EOS>.
        log_probability: Sum over the tokens, <EOS> included where it was reached.
        finished: Whether <EOS> was reached.
    """

    tokens: tuple[int, ...]
    log_probability: float
    finished: bool

    @property
    def mean_log_probability(self) -> float:
        """Per predicted token."""
        return self.log_probability / (len(self.tokens) + self.finished or 1)

    def score(self, length_penalty: float) -> float:
        """What hypotheses of different lengths are ranked by."""
        length = len(self.tokens) + self.finished
        return self.log_probability / float(((5 + length) / 6) ** length_penalty)


@dataclass(frozen=True, slots=True)
class Encoded:
    """What the encoder made of one image: the decoder's inputs, without the batch axis."""

    memory: Mapping[str, FloatArray]
    state: Mapping[str, FloatArray]


class BeamSearch:
    """The search for one image's caption; knows nothing of networks.

    Feed :meth:`advance` with the log-probabilities of each live row until
    :attr:`done`, then take :meth:`best`.
    """

    def __init__(self, options: DecodingOptions) -> None:
        self._options = options
        self._live: list[tuple[int, ...]] = [()]
        self._scores = np.zeros(1)
        self._finished: list[Hypothesis] = []
        self.done = options.max_length < 1

    @property
    def tokens(self) -> list[int]:
        """The decoder's next input for each live row."""
        return [row[-1] if row else self._options.sos_id for row in self._live]

    def advance(self, log_probs: FloatArray) -> list[int]:
        """Takes one step.

        Args:
            log_probs: Shape (live rows, V).

        Returns:
            For each row that lives on, the row it continues.
        """
        options = self._options
        vocabulary_size = log_probs.shape[1]
        totals = log_probs.astype(np.float64) + self._scores[:, None]
        totals[:, list(options.banned_ids)] = -np.inf
        for row, words in enumerate(self._live):
            totals[row, _repetitions(words, options.no_repeat)] = -np.inf
        if not self._live[0]:
            totals[:, options.eos_id] = -np.inf  # a caption has at least one word
        flat = totals.ravel()
        # Twice the beam: even if half of them end, enough rows live on.
        top = _largest(flat, min(2 * options.beam_size, flat.size))

        rows: list[tuple[int, ...]] = []
        parents: list[int] = []
        scores: list[float] = []
        for index in top.tolist():
            score = float(flat[index])
            if not np.isfinite(score):
                break
            parent, token = divmod(index, vocabulary_size)
            if token == options.eos_id:
                self._finished.append(Hypothesis(self._live[parent], score, finished=True))
                continue
            rows.append((*self._live[parent], token))
            parents.append(parent)
            scores.append(score)
            if len(rows) == options.beam_size:
                break
        if not rows:
            self.done = True
            return []
        self._live, self._scores = rows, np.array(scores)
        self.done = len(rows[0]) >= options.max_length or self._settled()
        return parents

    def _settled(self) -> bool:
        """Whether no live row can overtake the best finished caption any more."""
        if len(self._finished) < self._options.beam_size:
            return False
        # Log-probabilities only fall, and the divisor grows at most to that of max_length.
        longest = float(((6 + self._options.max_length) / 6) ** self._options.length_penalty)
        return self._best_finished() >= float(self._scores.max()) / longest

    def _best_finished(self) -> float:
        return max(item.score(self._options.length_penalty) for item in self._finished)

    def best(self) -> Hypothesis:
        """The best finished caption, or the best unfinished one where none ended."""
        candidates = self._finished or [
            Hypothesis(row, float(score), finished=False)
            for row, score in zip(self._live, self._scores, strict=True)
        ]
        return max(candidates, key=lambda item: item.score(self._options.length_penalty))


def _largest(values: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.intp]:
    """Indices of the ``count`` largest values, the largest first."""
    whole = len(values) // _BLOCK
    candidates = np.arange(len(values))
    if whole > count:
        # They lie in the blocks whose largest values are the largest: few are left to sort.
        tops = values[: whole * _BLOCK].reshape(whole, _BLOCK).max(1)
        blocks = np.argpartition(-tops, count - 1)[:count]
        inside = candidates[: whole * _BLOCK].reshape(whole, _BLOCK)[blocks].ravel()
        candidates = np.concatenate([inside, candidates[whole * _BLOCK :]])
    best = np.argsort(-values[candidates], kind="stable")[:count]
    return candidates[best]


def _repetitions(words: tuple[int, ...], size: int) -> list[int]:
    """The words that would end a sequence of ``size`` words for the second time."""
    if not size or len(words) < size:
        return []
    tail = words[len(words) - size + 1 :]
    starts = range(len(words) - size + 1)
    return [words[at + size - 1] for at in starts if words[at : at + size - 1] == tail]


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    encoded: Encoded
    search: BeamSearch


class DecoderLoop:
    """Runs the searches of many images in common batches, step by step.

    Each image has as many rows as a beam, also at the start, when all continue the same
    word: a batch whose size stays the same is quicker than one of fewer rows that changes.

    Not thread-safe: one thread adds, steps and removes.
    """

    def __init__(self, decoder: Session, options: DecodingOptions) -> None:
        self._decoder = decoder
        self._options = options
        self._jobs: list[_Job] = []
        self._joining: list[_Job] = []
        # Inputs of the next step: one row for each job, and a beam's rows for each.
        self._shared: dict[str, FloatArray] = {}
        self._memory: dict[str, FloatArray] = {}
        self._state: dict[str, FloatArray] = {}

    def __len__(self) -> int:
        """How many images are being captioned."""
        return len(self._jobs) + len(self._joining)

    @property
    def rows(self) -> int:
        """How many rows the next step has."""
        return len(self) * self._options.beam_size

    def add(self, encoded: Encoded) -> BeamSearch:
        """Lets an image join; its search is done some steps later."""
        job = _Job(encoded, BeamSearch(self._options))
        if not job.search.done:
            self._joining.append(job)
        return job.search

    def remove(self, search: BeamSearch) -> None:
        """Lets an image leave before its search is done."""
        self._joining = [job for job in self._joining if job.search is not search]
        self._keep([job.search is not search for job in self._jobs])

    def clear(self) -> None:
        """Lets all images leave."""
        self._jobs, self._joining = [], []
        self._shared, self._memory, self._state = {}, {}, {}

    def step(self) -> None:
        """Runs the decoder once over all rows and advances every search."""
        self._join()
        beam = self._options.beam_size
        tokens = [_padded(job.search.tokens, beam) for job in self._jobs]
        inputs: dict[str, np.ndarray] = {"token": np.array(tokens, dtype=np.int64).ravel()}
        outputs = self._decoder.run({**inputs, **self._shared, **self._memory, **self._state})

        parents: list[int] = []
        for start, job in zip(range(0, self.rows, beam), self._jobs, strict=True):
            live = len(job.search.tokens)
            continued = job.search.advance(outputs["log_probs"][start : start + live])
            parents += [start + row for row in _padded(continued or [0], beam)]
        self._state = {
            name: outputs[NEXT + name.removeprefix(STATE)][parents] for name in self._state
        }
        self._keep([not job.search.done for job in self._jobs])

    def _join(self) -> None:
        """Gives those who wait their rows."""
        for job in self._joining:
            memory, state = job.encoded.memory, job.encoded.state
            for name, value in memory.items():
                if value.ndim > 1:
                    _append(self._shared, name, value, 1)
                else:
                    _append(self._memory, name, value, self._options.beam_size)
            for name, value in state.items():
                _append(self._state, name, value, self._options.beam_size)
        self._jobs += self._joining
        self._joining = []

    def _keep(self, kept: Sequence[bool]) -> None:
        """Takes the rows of the other jobs away."""
        if all(kept):
            return
        self._jobs = list(itertools.compress(self._jobs, kept))
        if not self._jobs:
            self._shared, self._memory, self._state = {}, {}, {}
            return
        images = np.array(kept)
        rows = images.repeat(self._options.beam_size)
        self._shared = {name: value[images] for name, value in self._shared.items()}
        self._memory = {name: value[rows] for name, value in self._memory.items()}
        self._state = {name: value[rows] for name, value in self._state.items()}


def _append(inputs: dict[str, FloatArray], name: str, value: FloatArray, count: int) -> None:
    """Adds so many equal rows to an input."""
    rows = np.repeat(value[None], count, axis=0)
    inputs[name] = np.concatenate([inputs[name], rows]) if name in inputs else rows


def _padded(values: list[int], count: int) -> list[int]:
    """The values, the last one again until there are ``count``."""
    return values + values[-1:] * (count - len(values))


def search(
    decoder: Session, encoded: Sequence[Encoded], options: DecodingOptions
) -> list[Hypothesis]:
    """Captions several images in one batch and waits for the result.

    Args:
        decoder: The network, one step.
        encoded: What the encoder made of each image.
        options: How to search.

    Returns:
        The best hypothesis for each image, in order.
    """
    loop = DecoderLoop(decoder, options)
    searches = [loop.add(item) for item in encoded]
    while len(loop):
        loop.step()
    return [item.best() for item in searches]
