"""Commands in the menu of a message: "Apps" → "Describe this photo"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bots.core.answer import Mode
from bots.discord.conversation import answer_photos
from bots.discord.photos import photo_attachments
from bots.discord.texts import text

if TYPE_CHECKING:
    from bots.discord.bot import LookalikeBot

    Interaction = discord.Interaction[LookalikeBot]

__all__ = ["context_menus"]


async def describe_this(interaction: Interaction, message: discord.Message) -> None:
    """What the photos of the message show."""
    await _answer(interaction, message, Mode.DESCRIBE)


async def who_is_this_like(interaction: Interaction, message: discord.Message) -> None:
    """Whom the faces on the photos of the message resemble."""
    await _answer(interaction, message, Mode.FULL)


async def _answer(interaction: Interaction, message: discord.Message, mode: Mode) -> None:
    photos = photo_attachments(message)
    if not photos:
        await interaction.client.say(interaction, "There is no photo in this message.")
        return
    await interaction.client.guarded(interaction, answer_photos(interaction, photos, mode))


def context_menus() -> tuple[app_commands.ContextMenu, ...]:
    """Both commands, made anew for each tree."""
    return (
        app_commands.ContextMenu(name=text("Describe this photo"), callback=describe_this),
        app_commands.ContextMenu(name=text("Who does this look like?"), callback=who_is_this_like),
    )
