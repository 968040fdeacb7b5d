"""Words ↔ numbers: the tokeniser and the vocabulary of a captioner.

The tokeniser gives what the metrics' own (Penn Treebank, lower case, punctuation
removed) gives on captions, without Java. One difference is meant: brackets, which
the metrics' tokeniser leaves in as "-lrb-" and "-rrb-", are punctuation here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from model_server.errors import BundleError

__all__ = ["END", "PAD", "SPECIAL_TOKENS", "START", "UNKNOWN", "Vocabulary", "tokenize"]

SPECIAL_TOKENS = ("<PAD>", "<SOS>", "<EOS>", "<UNK>")
"""The first four words of every vocabulary."""

PAD, START, END, UNKNOWN = range(4)
"""Numbers of the special tokens."""

_PUNCTUATION = frozenset(
    [
        "''",
        "'",
        "``",
        "`",
        "-lrb-",
        "-rrb-",
        "-lcb-",
        "-rcb-",
        ".",
        "?",
        "!",
        ",",
        ":",
        "-",
        "--",
        "...",
        ";",
        '"',
        "(",
        ")",
        "{",
        "}",
    ]
)

# Words that the Treebank splits though no sign shows it.
_SPLIT = {
    "cannot": ("can", "not"),
    "gimme": ("gim", "me"),
    "gonna": ("gon", "na"),
    "gotta": ("got", "ta"),
    "lemme": ("lem", "me"),
    "wanna": ("wan", "na"),
    "'tis": ("'t", "is"),
    "'twas": ("'t", "was"),
}

_ABBREVIATIONS = (
    r"(?:mr|mrs|ms|dr|st|jr|sr|prof|vs|etc|inc|ltd|co|corp|mt|ft|no|lt|sgt|capt|gen|rev|ave|blvd"
    r"|a\.m|p\.m|e\.g|i\.e|u\.s|u\.k|d\.c|l\.a|n\.y|u\.s\.a)\."
)

_TOKEN = re.compile(
    rf"""
      (?<!\w){_ABBREVIATIONS}(?!\w)           # dr.  a.m.
    | (?:[a-z]\.){{2,}}                       # u.s.a.
    | (?:'(?:tis|twas)\b)
    | [^\W\d_]+?(?=n't(?!\w))                 # do|n't
    | n't(?!\w)
    | '(?:s|m|d|re|ve|ll)(?!\w)               # dog|'s
    | '\d0s                                   # '70s
    | o'clock\b | 'n'(?!\w)
    | [a-z][\w-]*\.(?:com|org|net|co\.uk)\b   # a web address
    | \d+(?:[.,:/]\d+)+(?!\w)                 # 1,000  3:30  1/2
    | \d+(?:st|nd|rd|th|s)?(?:-\w+)*(?!\w)    # 2nd  4-wheel
    | [^\W_]+(?:-[^\W_]+)*(?:-(?=[^\w-]|$))?  # t-shirt
    | \.{{3}} | --+ | `` | '' | [^\w\s] | _+
    """,
    re.VERBOSE,
)


def tokenize(text: str) -> tuple[str, ...]:
    """Splits a caption into lower-case words without punctuation.

    >>> tokenize("A dog's ball, a T-shirt; they don't run.")
    ('a', 'dog', "'s", 'ball', 'a', 't-shirt', 'they', 'do', "n't", 'run')
    """
    words: list[str] = []
    for token in _TOKEN.findall(text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")):
        words.extend(_SPLIT.get(token, (token,)))
    return tuple(word for word in words if word not in _PUNCTUATION)


class Vocabulary:
    """The words a captioner knows, numbered.

    Args:
        words: Every word once; the first four are :data:`SPECIAL_TOKENS`.

    Raises:
        ValueError: The special tokens are not where they belong, or a word is there twice.
    """

    def __init__(self, words: Sequence[str]) -> None:
        if tuple(words[: len(SPECIAL_TOKENS)]) != SPECIAL_TOKENS:
            raise ValueError(f"a vocabulary begins with {' '.join(SPECIAL_TOKENS)}")
        self.words = tuple(words)
        self._numbers = {word: number for number, word in enumerate(self.words)}
        if len(self._numbers) != len(self.words):
            raise ValueError("a vocabulary has every word only once")

    @classmethod
    def build(cls, captions: Iterable[str], min_count: int = 5) -> Vocabulary:
        """Collects the words found at least ``min_count`` times, commonest first."""
        counts = Counter(word for caption in captions for word in tokenize(caption))
        kept = [word for word, count in counts.items() if count >= min_count]
        return cls([*SPECIAL_TOKENS, *sorted(kept, key=lambda word: (-counts[word], word))])

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Reads what :meth:`save` wrote.

        Raises:
            BundleError: The file is not such a list.
        """
        try:
            return cls(json.loads(path.read_text(encoding="utf-8"))["words"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{path.name} is not a vocabulary: {error}") from error

    def save(self, path: Path) -> None:
        """Writes the words as JSON."""
        text = json.dumps({"words": self.words}, ensure_ascii=False, indent=0)
        path.write_text(text + "\n", encoding="utf-8")

    @property
    def pad_id(self) -> int:
        """Number of <PAD>."""
        return PAD

    @property
    def sos_id(self) -> int:
        """Number of <SOS>."""
        return START

    @property
    def eos_id(self) -> int:
        """Number of <EOS>."""
        return END

    @property
    def unk_id(self) -> int:
        """Number of <UNK>."""
        return UNKNOWN

    @property
    def digest(self) -> str:
        """Sixteen hex digits that tell this vocabulary from every other one."""
        return hashlib.sha256("\n".join(self.words).encode()).hexdigest()[:16]

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._numbers

    def encode(self, caption: str) -> list[int]:
        """Numbers of the caption's words, without start and end."""
        return [self._numbers.get(word, UNKNOWN) for word in tokenize(caption)]

    def decode(self, numbers: Iterable[int]) -> str:
        """The text of a sequence of numbers, up to the first end."""
        words = []
        for number in numbers:
            if number == END:
                break
            if number not in {PAD, START}:
                words.append(self.words[number])
        return " ".join(words)
