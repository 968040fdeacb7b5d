"""/watch: those who look after a server choose channels in which every photo is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bots.discord.texts import text

if TYPE_CHECKING:
    from bots.discord.bot import LookalikeBot

    Interaction = discord.Interaction[LookalikeBot]

__all__ = ["Watch"]


@app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
@app_commands.allowed_installs(guilds=True, users=False)
@app_commands.default_permissions(manage_channels=True)
class Watch(
    commands.GroupCog,
    group_name="watch",
    group_description=text("Answer every photo in a channel"),
):
    """Needs the message-content intent, and is only there where the operator allows it."""

    def __init__(self, bot: LookalikeBot) -> None:
        self.bot = bot

    @app_commands.command(name="on", description=text("Answer every photo in a channel"))
    @app_commands.rename(channel=text("channel"))
    @app_commands.describe(channel=text("The channel; this one if none is given"))
    async def on(
        self, interaction: Interaction, channel: discord.TextChannel | None = None
    ) -> None:
        """Watches a channel."""
        await self._set(interaction, channel, watched=True)

    @app_commands.command(name="off", description=text("Stop answering every photo in a channel"))
    @app_commands.rename(channel=text("channel"))
    @app_commands.describe(channel=text("The channel; this one if none is given"))
    async def off(
        self, interaction: Interaction, channel: discord.TextChannel | None = None
    ) -> None:
        """Stops watching a channel."""
        await self._set(interaction, channel, watched=False)

    async def _set(
        self, interaction: Interaction, channel: discord.TextChannel | None, *, watched: bool
    ) -> None:
        # Who may give the command can be changed in a server's settings, so it is asked here.
        if not interaction.permissions.manage_channels:
            await self.bot.say(interaction, "Only those who manage channels can change this.")
            return
        chosen = channel or interaction.channel
        if chosen is None:
            return
        await self.bot.store.watch(str(chosen.id), watched)
        where = f"<#{chosen.id}>"
        if watched:
            await self.bot.say(
                interaction, "I will answer every photo in {channel}.", channel=where
            )
        else:
            await self.bot.say(
                interaction,
                "In {channel} I will answer only those who ask me to.",
                channel=where,
            )
