"""Starts the Telegram bot: ``lookalike-telegram``."""

from __future__ import annotations

import logging
import sys

from pydantic import ValidationError
from telegram.error import InvalidToken

from bots.telegram.app import run
from bots.telegram.settings import TelegramSettings

__all__ = ["main"]


def main() -> int:
    """Runs the bot; 2 where the settings do not do, 1 where Telegram rejects the token."""
    try:
        settings = TelegramSettings.load()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            said = problem["msg"].removeprefix("Value error, ")
            sys.stderr.write(f"LOOKALIKE_{name}: {said}\n")
        return 2
    handler = logging.StreamHandler()
    handler.setFormatter(_WithoutToken(settings.telegram_token.get_secret_value()))
    handler.addFilter(_is_no_rejected_token)
    logging.basicConfig(level=settings.log_level, handlers=[handler])
    # These write URLs, with the token in them, and whole messages into a more talkative log.
    for name in ("httpx", "httpcore", "telegram"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        run(settings)
    except InvalidToken:  # its own words quote the token
        sys.stderr.write("LOOKALIKE_TELEGRAM_TOKEN: Telegram does not know this token.\n")
        return 1
    return 0


class _WithoutToken(logging.Formatter):
    """Leaves the token out, which errors of the library and their tracebacks quote."""

    def __init__(self, token: str) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self._token = token

    def format(self, record: logging.LogRecord) -> str:
        """The line as it is logged."""
        return super().format(record).replace(self._token, "<token>")


def _is_no_rejected_token(record: logging.LogRecord) -> bool:
    """The library logs a rejected token with a traceback; :func:`main` says it in a sentence."""
    return not (record.exc_info and isinstance(record.exc_info[1], InvalidToken))


if __name__ == "__main__":
    sys.exit(main())
