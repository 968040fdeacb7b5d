"""Replies in Telegram's words."""

from __future__ import annotations

import pytest
from telegram.error import BadRequest, NetworkError, RetryAfter, TimedOut

from bots.core.reply import Line, LineKind
from bots.telegram import persistence
from bots.telegram.persistence import NotImplementedByServer, persistently
from bots.telegram.sender import to_html


def test_lines_are_set_off_and_escaped() -> None:
    """Nobody's name becomes markup."""
    lines = [
        Line(LineKind.CAPTION, "A < B & C."),
        Line(LineKind.FACE, "Oval face."),
        Line(LineKind.MATCH, "1. <b>Bobby</b>"),
    ]
    assert to_html(lines) == (
        "<i>A &lt; B &amp; C.</i>\n\n<b>Oval face.</b>\n1. &lt;b&gt;Bobby&lt;/b&gt;"
    )


async def test_a_call_outlasts_a_broken_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Network errors, timeouts and Telegram's own pauses, then the answer."""
    monkeypatch.setattr(persistence, "_FIRST_PAUSE_S", 0.001)
    failures = [NetworkError("gone"), TimedOut(), RetryAfter(0), NetworkError("Bad Gateway")]

    async def call() -> str:
        if failures:
            raise failures.pop(0)
        return "sent"

    assert await persistently(call) == "sent"


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (BadRequest("chat not found"), BadRequest),
        (NetworkError("Method not implemented: x (501)"), NotImplementedByServer),
    ],
)
async def test_what_trying_again_does_not_help_is_raised(
    failure: Exception, raised: type[Exception]
) -> None:
    """Once, and not again."""
    calls = 0

    async def call() -> None:
        nonlocal calls
        calls += 1
        raise failure

    with pytest.raises(raised):
        await persistently(call)
    assert calls == 1


async def test_after_an_hour_the_call_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The update is then done with, and the error told."""
    monkeypatch.setattr(persistence, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(persistence, "_GIVE_UP_S", 0.01)

    async def call() -> None:
        raise NetworkError("gone")

    with pytest.raises(NetworkError):
        await persistently(call)
