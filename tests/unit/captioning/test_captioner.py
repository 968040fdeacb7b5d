"""Captions from many threads at once, over a scripted decoder."""

import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import numpy as np
import pytest

from model_server.captioning.beam_search import DecoderLoop, DecodingOptions, Encoded, search
from model_server.captioning.captioner import BatchDecoder, with_articles
from model_server.errors import NotReadyError

SOS, EOS, WORDS = 0, 1, 12
OPTIONS = DecodingOptions(SOS, EOS, (SOS,), beam_size=2, max_length=5)


class CountingDecoder:
    """Says the image's number again and again; may be told to fail or to wait."""

    def __init__(self):
        self.gate = threading.Event()
        self.gate.set()
        self.failing = False
        self.steps = 0
        self.began = threading.Semaphore(0)

    def run(self, inputs):
        self.began.release()
        self.gate.wait(10)
        self.steps += 1
        if self.failing:
            raise RuntimeError("the engine broke")
        scores = np.full((len(inputs["token"]), WORDS), -20.0, np.float32)
        numbers = inputs["memory.number"][:, 0].astype(int)
        scores[np.arange(len(scores)), numbers] = -0.1
        scores[:, EOS] = np.where(inputs["state.step"][:, 0] >= numbers % 4, 0.0, -15.0)
        return {"log_probs": scores, "next.step": inputs["state.step"] + 1}


def encoded(number):
    return Encoded(
        {"memory.number": np.array([number], np.float32)},
        {"state.step": np.zeros(1, np.float32)},
    )


@pytest.fixture
def decoder():
    return CountingDecoder()


@pytest.fixture
def batch(decoder):
    batch = BatchDecoder(DecoderLoop(decoder, OPTIONS))
    yield batch
    decoder.gate.set()
    batch.close()


def test_everyone_gets_their_own_caption(decoder, batch):
    """However requests fall into batches, none gets another's words."""
    numbers = [2 + number % 10 for number in range(200)]
    expected = [search(decoder, [encoded(number)], OPTIONS)[0].tokens for number in numbers]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: batch.submit(encoded(n)).result(10).tokens, numbers))
    assert results == expected


def test_requests_share_steps(decoder, batch):
    """What waits is decoded together: far fewer steps than one after the other."""
    decoder.gate.clear()
    futures = [batch.submit(encoded(5)) for _ in range(20)]
    decoder.gate.set()
    for future in futures:
        future.result(10)
    alone = CountingDecoder()
    search(alone, [encoded(5)], OPTIONS)
    assert decoder.steps < 4 * alone.steps


def test_a_broken_step_fails_its_images_and_no_others(decoder, batch):
    """After an exception in the engine, later requests work."""
    decoder.failing = True
    with pytest.raises(RuntimeError, match="the engine broke"):
        batch.submit(encoded(3)).result(10)
    decoder.failing = False
    assert batch.submit(encoded(3)).result(10).tokens


def test_a_request_cancelled_before_its_turn_is_never_computed(decoder):
    """The batch has the rows of the others only."""
    rows = []
    batch = BatchDecoder(DecoderLoop(decoder, OPTIONS), rows.append)
    decoder.gate.clear()
    first = batch.submit(encoded(3))
    assert decoder.began.acquire(timeout=10)
    assert batch.submit(encoded(7)).cancel()
    decoder.gate.set()
    first.result(10)
    batch.close()
    assert set(rows) == {OPTIONS.beam_size}


def test_nobody_waiting_ends_the_decoding(decoder, batch):
    """Once the caller has left, what was begun costs no more than the step under way."""
    left = threading.Event()
    decoder.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(batch.decode, [encoded(7), encoded(11)], left.is_set)
        assert decoder.began.acquire(timeout=10)
        left.set()
        with pytest.raises(CancelledError):
            waiting.result(10)
    decoder.gate.set()
    batch.close()
    assert decoder.steps == 1


def test_closing_finishes_what_was_submitted(decoder):
    """A drain loses nothing, and afterwards nothing is taken."""
    batch = BatchDecoder(DecoderLoop(decoder, OPTIONS))
    decoder.gate.clear()
    futures = [batch.submit(encoded(number)) for number in (3, 6, 9)]
    closing = threading.Thread(target=batch.close)
    closing.start()
    decoder.gate.set()
    closing.join(10)
    assert not closing.is_alive()
    assert all(future.result(0).tokens for future in futures)
    with pytest.raises(NotReadyError):
        batch.submit(encoded(3))


def test_batch_sizes_are_reported(decoder):
    """The metrics learn how many rows each step had: a beam for each photo, from the start."""
    rows = []
    batch = BatchDecoder(DecoderLoop(decoder, OPTIONS), rows.append)
    batch.submit(encoded(6)).result(10)
    batch.close()
    assert set(rows) == {OPTIONS.beam_size}


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("a man in a orange shirt", "a man in an orange shirt"),
        ("a uniform and a unicycle near a one", "a uniform and a unicycle near a one"),
        ("a dog and an apple", "a dog and an apple"),
    ],
)
def test_articles_fit_what_follows(said, shown):
    """An orange shirt, but a uniform."""
    assert with_articles(said) == shown
