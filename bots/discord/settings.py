"""What the Discord bot can be told beyond what every bot can."""

from __future__ import annotations

from pydantic import Field, SecretStr

from bots.core.settings import BotSettings

__all__ = ["DiscordSettings"]


class DiscordSettings(BotSettings):
    """Settings of the Discord bot, ``LOOKALIKE_DISCORD_…`` in the environment."""

    discord_token: SecretStr | None = Field(None, description="The bot's token.")
    discord_watch: bool = Field(
        False,
        description="Offer /watch. Needs the message-content intent, which must be switched on"
        " in Discord's developer portal too; all else works without it.",
    )
    discord_shard_count: int | None = Field(
        None, ge=1, description="Shards; None: as many as Discord recommends."
    )
    discord_commands_per_minute: int = Field(
        20, ge=1, description="Commands without a photo that a person may give a minute."
    )
