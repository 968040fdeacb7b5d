"""Replies: buttons that fit, lines that fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.core.reply import (
    Action,
    Button,
    Line,
    LineKind,
    Picture,
    Press,
    Reply,
    ReplyKind,
    fit_lines,
    join_lines,
    utf16_length,
)


@given(
    action=st.sampled_from(Action),
    face=st.integers(0, 99),
    page=st.integers(0, 99),
    key=st.text("abcXYZ019-_", min_size=12, max_size=12),
)
def test_a_press_survives_its_data(action: Action, face: int, page: int, key: str) -> None:
    """Data fits into what platforms allow and reads back the same."""
    press = Press(key, action, face, page)
    assert len(press.data.encode()) <= 64
    assert Press.parse(press.data) == press


@pytest.mark.parametrize("data", ["", "x", "a.b.c.d", "k.m.1", "k.m.x.0", "k" * 65])
def test_strange_data_is_no_press(data: str) -> None:
    """Whatever somebody makes up is refused."""
    with pytest.raises(ValueError, match="no button of ours"):
        Press.parse(data)


def test_credits_stay_when_lines_must_go() -> None:
    """Licences want their credits; notes go first, then matches from the end."""
    lines = [
        Line(LineKind.CAPTION, "A picture."),
        Line(LineKind.NOTE, "n" * 50),
        *(Line(LineKind.MATCH, f"{n}. " + "m" * 20) for n in range(10)),
        Line(LineKind.CREDIT, "Portrait: somebody"),
    ]
    fitted = fit_lines(lines, 100)
    assert utf16_length(join_lines(fitted)) <= 100
    kinds = [line.kind for line in fitted]
    assert LineKind.NOTE not in kinds
    assert kinds[0] is LineKind.CAPTION
    assert kinds[-1] is LineKind.CREDIT
    assert fitted[1].text.startswith("0.")


@given(st.lists(st.text(max_size=40), max_size=20), st.integers(0, 200))
def test_lines_always_fit(texts: list[str], limit: int) -> None:
    """However long the lines are, what is left fits, counted as Telegram counts."""
    fitted = fit_lines([Line(LineKind.MATCH, text) for text in texts], limit)
    assert utf16_length(join_lines(fitted)) <= limit


def test_buttons_can_be_left_out() -> None:
    """Empty rows go with their buttons."""
    share = Button("Share", Press("k", Action.SHARE))
    delete = Button("Delete", Press("k", Action.DELETE))
    reply = Reply(ReplyKind.ANSWER, "en", (), buttons=((share,), (delete,)))
    assert reply.without_buttons(Action.SHARE).buttons == ((delete,),)


def test_nothing_of_a_picture_is_in_its_repr() -> None:
    """A logged or raised object quotes no photo."""
    picture = Picture(b"secret pixels", "image/jpeg", "", "k")
    assert "secret" not in repr(picture)
    assert "secret" not in repr(Reply(ReplyKind.ANSWER, "en", (), picture))
