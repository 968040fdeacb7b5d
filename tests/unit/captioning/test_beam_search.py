"""Beam search over scripted decoders."""

import dataclasses
import itertools

import numpy as np
import pytest

from model_server.captioning.beam_search import DecoderLoop, DecodingOptions, Encoded, search

PAD, SOS, EOS, UNK, A, B, C = range(7)
OPTIONS = DecodingOptions(sos_id=SOS, eos_id=EOS, banned_ids=(PAD, SOS, UNK), max_length=6)


class MarkovDecoder:
    """Log-probabilities that depend on the last word, plus the image's own bias.

    Half of the bias comes as a vector for each row, half as a table for each image.
    """

    def __init__(self, transitions):
        self.transitions = np.log(np.array(transitions, dtype=np.float32) + 1e-9)
        self.batches = []

    def run(self, inputs):
        self.batches.append(len(inputs["token"]))
        tables = inputs["memory.table"]
        assert tables.shape[1:] == (1, 7)
        beam = len(inputs["token"]) // len(tables)
        bias = inputs["memory.bias"] + tables[:, 0].repeat(beam, axis=0)
        scores = self.transitions[inputs["token"]] + bias
        scores -= np.log(np.exp(scores).sum(1, keepdims=True))
        return {"log_probs": scores, "next.steps": inputs["state.steps"] + 1}


def encoded(bias=None):
    memory = np.zeros(7, np.float32) if bias is None else np.array(bias, np.float32)
    halves = {"memory.bias": memory / 2, "memory.table": memory[None] / 2}
    return Encoded(halves, {"state.steps": np.zeros(1, np.float32)})


def random_decoder(seed):
    return MarkovDecoder(np.random.default_rng(seed).dirichlet(np.ones(7) * 0.5, 7))


def brute_force(decoder, item, options):
    """The best finished caption among all of them."""
    best, best_score = None, -np.inf
    for length in range(1, options.max_length + 1):
        for words in itertools.product((A, B, C), repeat=length):
            total, last = 0.0, SOS
            for word in (*words, EOS):
                scores = decoder.transitions[last] + 2 * item.memory["memory.bias"]
                total += scores[word] - np.log(np.exp(scores).sum())
                last = word
            score = total / ((5 + length + 1) / 6) ** options.length_penalty
            if length < options.max_length and score > best_score:
                best, best_score = words, score
    return best, best_score


@pytest.mark.parametrize("seed", range(8))
def test_a_wide_beam_finds_the_best_caption(seed):
    """With room for all hypotheses, the search equals trying all captions."""
    decoder, item = random_decoder(seed), encoded()
    options = DecodingOptions(SOS, EOS, (PAD, SOS, UNK), beam_size=400, max_length=5)
    [found] = search(decoder, [item], options)
    best, best_score = brute_force(decoder, item, options)
    assert found.finished
    assert found.tokens == best
    assert found.score(options.length_penalty) == pytest.approx(best_score, abs=1e-4)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_images_in_one_batch_do_not_touch_each_other(beam_size):
    """Together or alone, an image gets the same caption."""
    decoder = random_decoder(3)
    rng = np.random.default_rng(1)
    items = [encoded(rng.normal(0, 2, 7)) for _ in range(9)]
    options = DecodingOptions(SOS, EOS, (PAD, SOS, UNK), beam_size=beam_size, max_length=6)
    together = search(decoder, items, options)
    alone = [search(decoder, [item], options)[0] for item in items]
    assert [item.tokens for item in together] == [item.tokens for item in alone]
    assert len({item.tokens for item in together}) > 1


def test_images_may_join_in_the_middle():
    """A search that starts later is not disturbed by one that runs, nor the other way round."""
    decoder = random_decoder(5)
    first, second = encoded([0, 0, -3, 0, 1, 0, 0]), encoded([0, 0, -3, 0, 0, 2, 0])
    loop = DecoderLoop(decoder, OPTIONS)
    searches = [loop.add(first)]
    loop.step()
    loop.step()
    searches.append(loop.add(second))
    while len(loop):
        loop.step()
    alone = search(decoder, [first], OPTIONS) + search(decoder, [second], OPTIONS)
    assert [item.best().tokens for item in searches] == [item.tokens for item in alone]


def test_no_beam_ever_ends():
    """Where <EOS> never comes, the best unfinished caption is returned."""
    transitions = np.zeros((7, 7))
    transitions[:, A], transitions[:, B] = 0.6, 0.4
    [found] = search(MarkovDecoder(transitions), [encoded()], OPTIONS)
    assert not found.finished
    assert found.tokens == (A,) * OPTIONS.max_length
    assert found.mean_log_probability == pytest.approx(np.log(0.6), abs=1e-4)


def test_a_caption_is_never_empty_and_has_no_special_words():
    """However much the network wants to end at once or to say <UNK>, it says a word."""
    transitions = np.full((7, 7), 0.01)
    transitions[:, EOS], transitions[:, UNK] = 0.5, 0.4
    [found] = search(MarkovDecoder(transitions), [encoded()], OPTIONS)
    assert found.tokens
    assert not {PAD, SOS, EOS, UNK} & set(found.tokens)


def test_nothing_is_said_twice():
    """With no_repeat, no pair of words stands twice; without, it may."""
    transitions = np.full((7, 7), 0.01)
    transitions[:, A], transitions[A, B], transitions[B, A] = 0.5, 0.9, 0.9
    decoder = MarkovDecoder(transitions)
    [plain] = search(decoder, [encoded()], OPTIONS)
    assert plain.tokens[:4] == (A, B, A, B)
    [varied] = search(decoder, [encoded()], dataclasses.replace(OPTIONS, no_repeat=2))
    pairs = list(itertools.pairwise(varied.tokens))
    assert len(pairs) == len(set(pairs))


def test_the_batch_shrinks_as_searches_end():
    """Finished images cost nothing more."""
    transitions = np.full((7, 7), 1e-6)
    transitions[:, EOS] = 1.0
    decoder = MarkovDecoder(transitions)
    quick, slow = encoded(), encoded([0, 0, -30, 0, 0, 0, 0])
    search(decoder, [quick, slow], OPTIONS)
    assert decoder.batches[-1] <= OPTIONS.beam_size < max(decoder.batches)


def test_an_image_can_leave():
    """A search that nobody waits for any more is dropped."""
    loop = DecoderLoop(random_decoder(1), OPTIONS)
    gone = loop.add(encoded())
    stays = loop.add(encoded())
    loop.remove(gone)
    while len(loop):
        loop.step()
    assert stays.done
    assert not gone.done
