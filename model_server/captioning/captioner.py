"""Images in, captions out: encoder, then beam search shared by all callers."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, wait
from typing import Any

import numpy as np

from model_server.analysis import Caption, Image
from model_server.bundle import Bundle
from model_server.captioning.beam_search import (
    MEMORY,
    STATE,
    BeamSearch,
    DecoderLoop,
    DecodingOptions,
    Encoded,
    Hypothesis,
)
from model_server.captioning.vocabulary import Vocabulary
from model_server.engines import Engine, Session
from model_server.errors import BundleError, NotReadyError
from model_server.imaging import Preprocessing, preprocess
from model_server.priority import compute_politely

__all__ = ["BatchDecoder", "Captioner", "encode_images", "load_decoding", "with_articles"]

NSFW = "nsfw"

_LOOK_S = 0.02
"""Seconds after which whoever waits for a caption looks whether anybody still wants it."""

_A_BEFORE_VOWEL = re.compile(r"\ba(?= (?!one\b|once\b|uni|use|eu)[aeiou])")
"""But not before "one", "uniform" and the like, which are not said with a vowel."""


def encode_images(
    encoder: Session, images: Sequence[Image], preprocessing: Preprocessing
) -> list[tuple[Encoded, float | None]]:
    """Runs the encoder over images, one at a time.

    On CPUs a batch gains nothing per image, and single images let other callers in.

    Returns:
        For each image, what the decoder needs and the NSFW score where there is one.
    """
    results: list[tuple[Encoded, float | None]] = []
    for image in images:
        outputs = encoder.run({"image": preprocess(image, preprocessing)[None]})
        encoded = Encoded(
            memory={name: value[0] for name, value in outputs.items() if name.startswith(MEMORY)},
            state={name: value[0] for name, value in outputs.items() if name.startswith(STATE)},
        )
        nsfw = float(outputs[NSFW].ravel()[0]) if NSFW in outputs else None
        results.append((encoded, nsfw))
    return results


def load_decoding(bundle: Bundle, vocabulary: Vocabulary) -> DecodingOptions:
    """The search options of a captioner's bundle, with the vocabulary's special tokens.

    Raises:
        BundleError: An option is unknown or of the wrong kind.
    """
    try:
        return DecodingOptions(
            sos_id=vocabulary.sos_id,
            eos_id=vocabulary.eos_id,
            banned_ids=(vocabulary.pad_id, vocabulary.sos_id, vocabulary.unk_id),
            **bundle.read("decoding"),
        )
    except TypeError as error:
        raise BundleError(f'{bundle.name}: "decoding" does not fit: {error}') from error


class BatchDecoder:
    """Decodes for many threads at once, in common batches, on a thread of its own.

    No request waits for another to arrive: what is there runs, and what comes
    meanwhile joins at the next word. A failing step fails the images in it and no
    others, and a request whose future is cancelled costs at most one more step.

    Args:
        loop: The searches.
        on_step: Called with the number of rows of each step, for the metrics.
    """

    def __init__(self, loop: DecoderLoop, on_step: Callable[[int], None] | None = None) -> None:
        self._loop = loop
        self._on_step = on_step
        self._queue: queue.SimpleQueue[tuple[Encoded, Future[Hypothesis]] | None] = (
            queue.SimpleQueue()
        )
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="decoder", daemon=True)
        self._thread.start()

    def decode(
        self, encoded: Sequence[Encoded], cancelled: Callable[[], bool] = lambda: False
    ) -> list[Hypothesis]:
        """The best hypothesis of each image; blocks until all are there.

        Raises:
            CancelledError: ``cancelled`` became true.
            NotReadyError: The decoder was closed.
        """
        futures = [self.submit(one) for one in encoded]
        while wait(futures, _LOOK_S).not_done:
            if cancelled():
                for future in futures:
                    future.cancel()
                raise CancelledError
        return [future.result() for future in futures]

    def submit(self, encoded: Encoded) -> Future[Hypothesis]:
        """Queues an image.

        Raises:
            NotReadyError: The decoder was closed.
        """
        future: Future[Hypothesis] = Future()
        with self._lock:
            if self._closed:
                raise NotReadyError("the server is stopping: try another one")
            self._queue.put((encoded, future))
        return future

    def close(self) -> None:
        """Finishes what was submitted, then stops."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        compute_politely()
        running: dict[BeamSearch, Future[Hypothesis]] = {}
        closing = False
        while not closing or running:
            closing |= self._admit(running, wait=not running and not closing)
            for search, future in list(running.items()):
                if future.cancelled():
                    self._loop.remove(search)
                    del running[search]
            if running:
                self._advance(running)

    def _admit(self, running: dict[BeamSearch, Future[Hypothesis]], *, wait: bool) -> bool:
        """Takes in what is queued; True where the decoder is to close."""
        while wait or not self._queue.empty():
            wait = False
            item = self._queue.get()
            if item is None:
                return True
            encoded, future = item
            running[self._loop.add(encoded)] = future
        return False

    def _advance(self, running: dict[BeamSearch, Future[Hypothesis]]) -> None:
        if self._on_step:
            self._on_step(self._loop.rows)
        try:
            self._loop.step()
        except Exception as error:  # noqa: BLE001 - whatever the engine raises goes to the callers
            for future in running.values():
                _settle(future, error=error)
            running.clear()
            self._loop.clear()
            return
        for search, future in list(running.items()):
            if search.done:
                del running[search]
                _settle(future, result=search.best())


def _settle(
    future: Future[Hypothesis],
    *,
    result: Hypothesis | None = None,
    error: Exception | None = None,
) -> None:
    # A caller may cancel at any moment; after this line it no longer can.
    if not future.set_running_or_notify_cancel():
        return
    if error is not None:
        future.set_exception(error)
    elif result is not None:
        future.set_result(result)


class Captioner:
    """A captioner loaded from its bundle. Thread-safe.

    Args:
        bundle: Of kind "captioner".
        engine: Runs its networks.
        on_step: Called with the number of rows of each decoder step.

    Raises:
        BundleError: Vocabulary and networks do not fit together.
    """

    KIND = "captioner"

    def __init__(
        self, bundle: Bundle, engine: Engine, on_step: Callable[[int], None] | None = None
    ) -> None:
        self.version = bundle.version
        self._preprocessing = Preprocessing.from_manifest(bundle.read("preprocessing"))
        self._vocabulary = Vocabulary.load(bundle.file("vocab.json"))
        self._encoder = engine.load(bundle.file("encoder.xml"))
        decoder = engine.load(bundle.file("decoder.xml"))
        _check_contract(bundle, self._encoder, decoder)
        loop = DecoderLoop(decoder, load_decoding(bundle, self._vocabulary))
        self._check_vocabulary(bundle, decoder)
        self._decoder = BatchDecoder(loop, on_step)

    def _check_vocabulary(self, bundle: Bundle, decoder: Session) -> None:
        blank = np.zeros((self._preprocessing.height, self._preprocessing.width, 3), np.uint8)
        encoded, _ = encode_images(self._encoder, [blank], self._preprocessing)[0]
        inputs: dict[str, np.ndarray[Any, Any]] = {
            "token": np.array([self._vocabulary.sos_id], dtype=np.int64)
        }
        inputs.update({name: value[None] for name, value in encoded.memory.items()})
        inputs.update({name: value[None] for name, value in encoded.state.items()})
        words = decoder.run(inputs)["log_probs"].shape[1]
        if words != len(self._vocabulary):
            raise BundleError(
                f"{bundle.name}/vocab.json has {len(self._vocabulary)} words, "
                f"{bundle.name}/decoder.xml expects {words}: they are of different trainings"
            )

    def caption(
        self, images: Sequence[Image], cancelled: Callable[[], bool] = lambda: False
    ) -> list[Caption]:
        """Captions images.

        Args:
            images: RGB uint8, any size.
            cancelled: Asked while the words are decoded; once true, that is given up.

        Returns:
            One caption for each, in order.

        Raises:
            CancelledError: ``cancelled`` became true.
        """
        encoded = encode_images(self._encoder, images, self._preprocessing)
        hypotheses = self._decoder.decode([item for item, _ in encoded], cancelled)
        return [
            self._caption(hypothesis, nsfw)
            for hypothesis, (_, nsfw) in zip(hypotheses, encoded, strict=True)
        ]

    def _caption(self, hypothesis: Hypothesis, nsfw: float | None) -> Caption:
        text = with_articles(self._vocabulary.decode(hypothesis.tokens))
        return Caption(text, hypothesis.mean_log_probability, nsfw)

    def close(self) -> None:
        """Finishes what runs and frees the thread."""
        self._decoder.close()


def with_articles(text: str) -> str:
    """A caption with "an" where a vowel follows: captioners often get this wrong."""
    return _A_BEFORE_VOWEL.sub("an", text)


def _check_contract(bundle: Bundle, encoder: Session, decoder: Session) -> None:
    given = {name for name in encoder.output_names if name.startswith((MEMORY, STATE))}
    wanted = set(decoder.input_shapes) - {"token"}
    if given != wanted:
        raise BundleError(
            f"{bundle.name}/encoder.xml gives {sorted(given)}, "
            f"{bundle.name}/decoder.xml takes {sorted(wanted)}: they do not belong together"
        )
