"""How a captioner speaks of women and men, compared with the people who wrote the references."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from model_server.captioning.vocabulary import tokenize

__all__ = ["GENDERS", "bias_table", "gender_of", "render_bias_table"]

_WORDS = {
    "female": {"woman", "women", "girl", "girls", "lady", "ladies", "female", "she", "her"},
    "male": {"man", "men", "boy", "boys", "guy", "guys", "male", "he", "his", "him"},
}

GENDERS = ("female", "male", "both", "unsaid")
"""What a caption, or a photo's references together, may say."""


def gender_of(captions: Sequence[str]) -> str:
    """What most of the captions say; where no answer has a majority, "unsaid"."""
    votes = Counter(_of_one(caption) for caption in captions)
    answer, count = votes.most_common(1)[0]
    return answer if 2 * count > len(captions) else "unsaid"


def _of_one(caption: str) -> str:
    words = set(tokenize(caption))
    said = [gender for gender, own in _WORDS.items() if words & own]
    return "both" if len(said) == 2 else said[0] if said else "unsaid"


def bias_table(
    references: Mapping[str, Sequence[str]], captions: Mapping[str, str]
) -> dict[str, dict[str, int]]:
    """Counts photos by what their references say (outer key) and what the caption says."""
    table = {truth: dict.fromkeys(GENDERS, 0) for truth in GENDERS}
    for name, caption in captions.items():
        table[gender_of(references[name])][_of_one(caption)] += 1
    return table


def render_bias_table(table: Mapping[str, Mapping[str, int]]) -> str:
    """As Markdown: a row for what people wrote, a column for what the captioner says."""
    lines = [
        "| people wrote | photos | " + " | ".join(f"says {name}" for name in GENDERS) + " |",
        "|---|---|" + "---|" * len(GENDERS),
    ]
    for truth in GENDERS:
        total = sum(table[truth].values())
        shares = (f"{table[truth][said] / total:.0%}" if total else "-" for said in GENDERS)
        lines.append(f"| {truth} | {total} | " + " | ".join(shares) + " |")
    return "\n".join(lines)
