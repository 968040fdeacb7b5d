"""What the Telegram bot can be told, beside what all bots can."""

from __future__ import annotations

import re

from pydantic import Field, SecretStr, field_validator

from bots.core.settings import BotSettings

__all__ = ["TelegramSettings"]


class TelegramSettings(BotSettings):
    """Settings of the Telegram bot; names start with ``LOOKALIKE_TELEGRAM_``."""

    telegram_token: SecretStr = Field(description="The bot's token, from @BotFather.")
    telegram_base_url: str = Field(
        "https://api.telegram.org",
        description="Bot API server; /bot<token>/… and /file/bot<token>/… are appended.",
    )
    telegram_webhook_url: str | None = Field(
        None,
        description="Public URL of the webhook, whose path the bot serves; unset: the bot polls.",
    )
    telegram_webhook_host: str = Field("127.0.0.1", description="Address the webhook listens on.")
    telegram_webhook_port: int = Field(8443, ge=1, le=65535, description="Port of the webhook.")
    telegram_webhook_secret: SecretStr | None = Field(
        None, description="Secret token that Telegram sends along; unset: a random one."
    )
    telegram_updates_at_once: int = Field(256, ge=1, description="Updates handled side by side.")
    telegram_album_wait_s: float = Field(
        1.0, gt=0, description="Seconds without a further photo after which an album is complete."
    )
    telegram_requests_per_s: float = Field(
        30.0, gt=0, description="Messages sent a second over all chats; Telegram's limit is 30."
    )

    @field_validator("telegram_token")
    @classmethod
    def _looks_like_a_token(cls, token: SecretStr) -> SecretStr:
        if not re.fullmatch(r"\d+:\S+", token.get_secret_value()):
            raise ValueError("this is no token: @BotFather gives one, such as 123456:ABC…")
        return token
