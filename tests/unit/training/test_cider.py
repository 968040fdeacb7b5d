"""Tests of the reward and of the metrics against pycocoevalcap."""

import random

import numpy as np
import pytest
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from training.cider import CiderReward
from training.metrics import score_captions

WORDS = ["a", "the", "dog", "cat", "man", "runs", "sits", "in", "on", "red", "blue", "ball"]


@pytest.fixture
def corpus() -> tuple[dict[str, list[str]], dict[str, str]]:
    rng = random.Random(3)

    def sentence() -> str:
        return " ".join(rng.choices(WORDS, k=rng.randint(2, 12)))

    truth = {str(n): [sentence() for _ in range(rng.randint(1, 5))] for n in range(30)}
    captions = {name: sentence() for name in truth}
    for name in list(truth)[:10]:
        captions[name] = truth[name][0]  # some are right
    captions["11"] = "dog"
    return truth, captions


def test_reward_is_cider_d(corpus: tuple[dict[str, list[str]], dict[str, str]]) -> None:
    """The reward of each caption equals pycocoevalcap's score of it to 1e-4."""
    truth, captions = corpus

    def numbers(text: str) -> list[int]:
        return [WORDS.index(word) for word in text.split()]

    reward = CiderReward({name: [numbers(t) for t in texts] for name, texts in truth.items()})
    ours = reward(list(captions), [numbers(text) for text in captions.values()])
    _, theirs = Cider().compute_score(truth, {name: [text] for name, text in captions.items()})
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert ours.max() > 1


def test_reward_counts_the_end() -> None:
    """With the end among the references, a caption broken off at "with a" gets less."""
    end = 99
    truth = {"x": [[1, 2, 3, 4, 5, 6, end]], "y": [[7, 8, 9, end]], "z": [[1, 8, 5, end]]}
    reward = CiderReward(truth)
    whole, broken = reward(["x", "x"], [[1, 2, 3, 4, 5, 6, end], [1, 2, 3, 4, 5, 6]])
    assert whole > broken


def test_scores_are_pycocoevalcap_s(corpus: tuple[dict[str, list[str]], dict[str, str]]) -> None:
    """BLEU, ROUGE-L and CIDEr equal pycocoevalcap's to 1e-4, as corpus scores."""
    truth, captions = corpus
    answers = {name: [text] for name, text in captions.items()}
    scores = score_captions(truth, captions)
    bleu, _ = Bleu(4).compute_score(truth, answers, verbose=0)
    for n in range(4):
        assert scores.metrics[f"bleu_{n + 1}"] == pytest.approx(bleu[n], abs=1e-4)
    assert scores.metrics["rouge_l"] == pytest.approx(Rouge().compute_score(truth, answers)[0])
    cider, each = Cider().compute_score(truth, answers)
    assert scores.metrics["cider"] == pytest.approx(cider, abs=1e-4)
    assert scores.cider == pytest.approx(list(each))


def test_a_photo_without_references_is_an_error() -> None:
    """Nothing is scored against nothing."""
    with pytest.raises(KeyError):
        score_captions({"a": ["dog"]}, {"b": "dog"})
