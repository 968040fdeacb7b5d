"""Tests of the tokeniser and the vocabulary."""

import json
import shutil
from pathlib import Path

import pytest

from model_server.captioning.vocabulary import END, PAD, START, UNKNOWN, Vocabulary, tokenize
from model_server.errors import BundleError

# Every kind of word that captions hold; expected is what the Stanford PTB tokeniser gives.
CASES = {
    "A dog , running .": "a dog running",
    "The dog's ball isn't blue": "the dog 's ball is n't blue",
    "they're at a T-shirt stand": "they 're at a t-shirt stand",
    'A man says "hello!"': "a man says hello",
    "two boys' bikes": "two boys bikes",
    "a black-and-white dog": "a black-and-white dog",
    "he cannot, gonna try": "he can not gon na try",
    "it is 3:30 p.m. on the 2nd": "it is 3:30 p.m. on the 2nd",
    "1,000 people; half - or more": "1,000 people half or more",
    "five o'clock shadow": "five o'clock shadow",
    "won't don't can't": "wo n't do n't ca n't",
    "Dr. Smith & Mrs. Jones": "dr. smith & mrs. jones",
    "a sign reading # 7": "a sign reading # 7",
    "café in São Paulo": "café in são paulo",
    "": "",
    " . , ": "",
}


@pytest.mark.parametrize(("caption", "expected"), CASES.items())
def test_tokenize(caption: str, expected: str) -> None:
    """Captions are split as the metrics' own tokeniser splits them."""
    assert " ".join(tokenize(caption)) == expected


@pytest.mark.skipif(shutil.which("java") is None, reason="the metrics' tokeniser needs Java")
def test_tokenize_equals_the_metrics_own() -> None:
    """The expectations above really are what pycocoevalcap's tokeniser gives."""
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    captions = [caption for caption in CASES if tokenize(caption)]
    theirs = PTBTokenizer().tokenize({i: [{"caption": c}] for i, c in enumerate(captions)})
    assert [theirs[i][0] for i in range(len(captions))] == [CASES[c] for c in captions]


def test_vocabulary_counts_words() -> None:
    """Rare words are left out, common ones come first, ties by alphabet."""
    vocabulary = Vocabulary.build(["b b a", "c a", "b"], min_count=2)
    assert vocabulary.words == ("<PAD>", "<SOS>", "<EOS>", "<UNK>", "b", "a")
    assert (vocabulary.pad_id, vocabulary.sos_id, vocabulary.eos_id, vocabulary.unk_id) == (
        PAD,
        START,
        END,
        UNKNOWN,
    )


def test_encode_and_decode() -> None:
    """Unknown words become <UNK>; decoding ends at the first end and skips padding."""
    vocabulary = Vocabulary.build(["a red ball"], min_count=1)
    numbers = vocabulary.encode("A red car")
    assert numbers == [*vocabulary.encode("a red"), UNKNOWN]
    row = [START, *vocabulary.encode("a ball"), END, *vocabulary.encode("red"), PAD]
    assert vocabulary.decode(row) == "a ball"
    assert "ball" in vocabulary
    assert len(vocabulary) == 7


def test_saved_vocabulary_is_the_same(tmp_path: Path) -> None:
    """What is saved is read again with the same digest; other words have another one."""
    vocabulary = Vocabulary.build(["ein café", "a dog"], min_count=1)
    vocabulary.save(tmp_path / "vocab.json")
    assert Vocabulary.load(tmp_path / "vocab.json").digest == vocabulary.digest
    assert Vocabulary.build(["a cat"], min_count=1).digest != vocabulary.digest


@pytest.mark.parametrize(
    "content",
    [
        "no json",
        "[]",
        json.dumps({"words": ["a", "b"]}),
        json.dumps({"words": ["<PAD>", "<SOS>", "<EOS>", "<UNK>", "a", "a"]}),
    ],
)
def test_a_file_that_is_no_vocabulary_is_refused(tmp_path: Path, content: str) -> None:
    """The error names the file."""
    (tmp_path / "vocab.json").write_text(content)
    with pytest.raises(BundleError, match="vocab.json"):
        Vocabulary.load(tmp_path / "vocab.json")
