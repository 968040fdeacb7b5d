"""Settings of the Telegram bot."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bots.telegram.settings import TelegramSettings


@pytest.mark.parametrize("token", ["", " ", "synthetic", "7:", "7:syn thetic"])
def test_what_is_no_token_is_refused(token: str) -> None:
    """In a sentence that names who gives one, without what was written."""
    with pytest.raises(ValidationError) as caught:
        TelegramSettings(telegram_token=token)
    [problem] = caught.value.errors(include_input=False)
    assert "@BotFather gives one" in problem["msg"]
    assert "synthetic" not in problem["msg"]
