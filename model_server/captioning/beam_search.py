"""Beam search over a decoder that runs one step at a time.

The decoder is a :class:`~model_server.engines.Session` with this contract (B rows,
V words):

* inputs ``token`` int64 (B,), ``memory.*`` (B, …) that stay the same for an image,
  and ``state.*`` (B, …) that change with every word;
* outputs ``log_probs`` (B, V) and ``next.*`` (B, …), the states after the word.

Because a row depends on nothing but itself, the beams of any number of images run
in one batch, and images may join and leave between two steps
(:class:`DecoderLoop`). Length normalisation after Wu et al., "Google's Neural
Machine Translation System", 2016, equation 14.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from model_server.analysis import FloatArray
from model_server.engines import Session

__all__ = ["BeamSearch", "DecoderLoop", "DecodingOptions", "Encoded", "Hypothesis", "search"]

MEMORY = "memory."
STATE = "state."
NEXT = "next."


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
        count = min(2 * options.beam_size, flat.size)
        top = np.argpartition(-flat, count - 1)[:count]
        top = top[np.argsort(-flat[top], kind="stable")]

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


def _repetitions(words: tuple[int, ...], size: int) -> list[int]:
    """The words that would end a sequence of ``size`` words for the second time."""
    if not size or len(words) < size:
        return []
    tail = words[len(words) - size + 1 :]
    starts = range(len(words) - size + 1)
    return [words[at + size - 1] for at in starts if words[at : at + size - 1] == tail]


@dataclass(slots=True, eq=False)
class _Job:
    number: int
    encoded: Encoded
    search: BeamSearch
    state: dict[str, FloatArray] = field(default_factory=dict)


class DecoderLoop:
    """Runs the searches of many images in common batches, step by step.

    Not thread-safe: one thread adds, steps and removes.
    """

    def __init__(self, decoder: Session, options: DecodingOptions) -> None:
        self._decoder = decoder
        self._options = options
        self._jobs: list[_Job] = []
        self._numbers = itertools.count()
        self._memory: dict[str, FloatArray] = {}
        self._memory_rows: list[tuple[int, int]] = []

    def __len__(self) -> int:
        """How many images are being captioned."""
        return len(self._jobs)

    @property
    def rows(self) -> int:
        """How many rows the next step has."""
        return sum(len(job.search.tokens) for job in self._jobs)

    def add(self, encoded: Encoded) -> BeamSearch:
        """Lets an image join; its search is done some steps later."""
        job = _Job(
            next(self._numbers),
            encoded,
            BeamSearch(self._options),
            {name: value[None] for name, value in encoded.state.items()},
        )
        if not job.search.done:
            self._jobs.append(job)
        return job.search

    def remove(self, search: BeamSearch) -> None:
        """Lets an image leave before its search is done."""
        self._jobs = [job for job in self._jobs if job.search is not search]

    def clear(self) -> None:
        """Lets all images leave."""
        self._jobs = []

    def step(self) -> None:
        """Runs the decoder once over all rows and advances every search."""
        counts = [len(job.search.tokens) for job in self._jobs]
        inputs: dict[str, np.ndarray] = {
            "token": np.array(
                [token for job in self._jobs for token in job.search.tokens], dtype=np.int64
            ),
            **self._gather_memory(counts),
        }
        for name in self._jobs[0].state:
            inputs[name] = np.concatenate([job.state[name] for job in self._jobs])
        outputs = self._decoder.run(inputs)

        start = 0
        for job, count in zip(self._jobs, counts, strict=True):
            rows = slice(start, start + count)
            start += count
            parents = job.search.advance(outputs["log_probs"][rows])
            for name in job.state:
                job.state[name] = outputs[NEXT + name.removeprefix(STATE)][rows][parents]
        self._jobs = [job for job in self._jobs if not job.search.done]

    def _gather_memory(self, counts: Sequence[int]) -> dict[str, FloatArray]:
        # The memory is by far the largest input; rebuild it only when its rows change.
        rows = [(job.number, count) for job, count in zip(self._jobs, counts, strict=True)]
        if rows != self._memory_rows:
            self._memory_rows = rows
            self._memory = {
                name: np.repeat(
                    np.stack([job.encoded.memory[name] for job in self._jobs]), counts, axis=0
                )
                for name in self._jobs[0].encoded.memory
            }
        return self._memory


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
