"""Starts the Telegram bot: ``lookalike-telegram``."""

from __future__ import annotations

import logging
import sys

from pydantic import ValidationError

from bots.telegram.app import run
from bots.telegram.settings import TelegramSettings

__all__ = ["main"]


def main() -> int:
    """Runs the bot; 2 where the settings do not do."""
    try:
        settings = TelegramSettings.load()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            sys.stderr.write(f"LOOKALIKE_{name}: {problem['msg']}\n")
        return 2
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    # These write URLs, with the token in them, and whole messages into a more talkative log.
    for name in ("httpx", "httpcore", "telegram"):
        logging.getLogger(name).setLevel(logging.WARNING)
    run(settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
