"""Settings that all bots share."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bots.core.settings import BotSettings


@pytest.mark.parametrize("level", ["info", "Info", "INFO"])
def test_the_log_level_may_be_written_in_any_case(level: str) -> None:
    """Every bot gets it in capitals."""
    assert BotSettings(log_level=level).log_level == "INFO"


def test_a_log_level_that_is_none_is_refused_with_those_that_are() -> None:
    """At the start, before a library trips over it."""
    with pytest.raises(ValidationError, match="'DEBUG', 'INFO', 'WARNING', 'ERROR'"):
        BotSettings(log_level="warn")
