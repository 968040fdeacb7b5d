"""Tests of the bias table."""

from training.bias import bias_table, gender_of, render_bias_table


def test_gender_of() -> None:
    """The majority of the captions decides; a tie says nothing."""
    assert gender_of(["A woman runs.", "A lady", "a person"]) == "female"
    assert gender_of(["a man and his dog", "two women and a man"]) == "unsaid"
    assert gender_of(["a man and a woman"]) == "both"
    assert gender_of(["a dog"]) == "unsaid"


def test_table() -> None:
    """Every photo is counted once, in the row of its references; rows become shares."""
    references = {"a": ["a woman"], "b": ["a girl"], "c": ["a dog"]}
    table = bias_table(references, {"a": "a man", "b": "a girl", "c": "a dog"})
    assert table["female"] == {"female": 1, "male": 1, "both": 0, "unsaid": 0}
    assert sum(sum(row.values()) for row in table.values()) == 3
    text = render_bias_table(table)
    assert "| female | 2 | 50% | 50% | 0% | 0% |" in text
    assert "| male | 0 | - | - | - | - |" in text
