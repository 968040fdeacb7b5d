"""The bot itself: what it listens to, what it is made of, how it starts and stops."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from bots.core.desk import PhotoDesk
from bots.core.errors import ServerFailure
from bots.core.limits import RateLimit
from bots.core.notices import error_reply, notice
from bots.core.speech import Speaker
from bots.core.store import SettingsStore
from bots.discord.commands import Commands
from bots.discord.context_menus import context_menus
from bots.discord.conversation import PLATFORM, whisper
from bots.discord.messages import Messages
from bots.discord.settings import DiscordSettings
from bots.discord.texts import CommandTranslator, discord_texts
from bots.discord.views import PressButton
from bots.discord.watch import Watch

if TYPE_CHECKING:
    from bots.core.languages import Texts

__all__ = ["LookalikeBot", "intents_for"]

log = logging.getLogger(__name__)

Interaction = discord.Interaction["LookalikeBot"]

LAST_WORDS_S = 10.0
"""How long a stopping bot goes on with what it has begun."""
MOST_LOCALES = 10_000


def intents_for(settings: DiscordSettings) -> discord.Intents:
    """What the bot wants to be told about: as little as it can do with.

    Without the privileged message-content intent, Discord shows the bot the photos of
    direct messages, of messages that mention it, and of those that a command points at.
    """
    intents = discord.Intents.none()
    intents.guilds = True
    intents.guild_messages = True
    intents.dm_messages = True
    intents.message_content = settings.discord_watch
    return intents


class Tree(app_commands.CommandTree["LookalikeBot"]):
    """The commands, with a limit per person and polite words where one fails."""

    async def interaction_check(self, interaction: Interaction, /) -> bool:
        """Whether the person may give another command now."""
        bot = interaction.client
        bot.remember_locale(interaction)
        if interaction.type is discord.InteractionType.autocomplete:
            return True
        allowed = not bot.commands_limit.take(interaction.user.id)
        if not allowed:
            await bot.say(interaction, "That was fast! Please try again in a moment.")
        return allowed

    async def on_error(
        self, interaction: Interaction, error: app_commands.AppCommandError, /
    ) -> None:
        """Logs what went wrong and says so."""
        await interaction.client.failed(interaction, error)


class LookalikeBot(commands.AutoShardedBot):
    """Answers photos on Discord.

    Args:
        settings: Of the bot.
    """

    desk: PhotoDesk
    store: SettingsStore
    speaker: Speaker

    def __init__(self, settings: DiscordSettings) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,  # there are none; Bot wants to be told
            help_command=None,
            tree_cls=Tree,
            intents=intents_for(settings),
            allowed_mentions=discord.AllowedMentions.none(),
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=True, private_channel=True
            ),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
            shard_count=settings.discord_shard_count,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            max_messages=None,  # messages hold links to photos: none are kept
        )
        self.settings = settings
        self.commands_limit = RateLimit(settings.discord_commands_per_minute)
        self._locales: OrderedDict[int, str] = OrderedDict()
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def setup_hook(self) -> None:
        """Opens what needs the running loop. Commands are published by ``sync`` only."""
        self.desk = PhotoDesk.open(self.settings)
        self.store = SettingsStore(self.settings.data_dir / "settings.sqlite3", PLATFORM)
        self.speaker = Speaker.from_settings(self.settings)
        self.add_dynamic_items(PressButton)
        await self.tree.set_translator(CommandTranslator())
        await self.add_cog(Commands(self))
        await self.add_cog(Messages(self))
        if self.settings.discord_watch:
            await self.add_cog(Watch(self))
        for menu in context_menus():
            self.tree.add_command(menu)

    async def publish(self, *, guild: int | None = None, clear: bool = False) -> int:
        """Tells Discord which commands there are; needs to be logged in only.

        Args:
            guild: Server to publish them in, at once; None: everywhere.
            clear: Take all commands back instead.

        Returns:
            How many commands there are now.
        """
        where = discord.Object(guild) if guild is not None else None
        if clear:
            self.tree.clear_commands(guild=where)
        elif where is not None:
            self.tree.copy_global_to(guild=where)
        return len(await self.tree.sync(guild=where))

    async def close(self) -> None:
        """Finishes what was begun, if it does not take long, and hangs up."""
        if self.is_closed():
            return
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                await self._idle.wait()
        except TimeoutError:
            log.warning("stopping with %d answers unfinished", self._busy)
        await super().close()
        if hasattr(self, "desk"):
            await self.desk.close()
            await self.store.close()

    async def on_ready(self) -> None:
        """Says in the log that all shards are there."""
        log.info("ready as %s, %d shards", self.user, self.shard_count or 1)

    async def process_commands(self, message: discord.Message, /) -> None:
        """Does nothing: commands are slash commands."""

    # Who speaks which language

    def remember_locale(self, interaction: Interaction) -> None:
        """Remembers the language of a person's client for their plain messages."""
        self._locales[interaction.user.id] = interaction.locale.value
        self._locales.move_to_end(interaction.user.id)
        while len(self._locales) > MOST_LOCALES:
            self._locales.popitem(last=False)

    def forget_locale(self, user: int) -> None:
        """Forgets the language of a person's client."""
        self._locales.pop(user, None)

    async def language(self, user: int, otherwise: str | None = None) -> str | None:
        """The language that a person has chosen, else that of their client."""
        chosen = await self.store.language(str(user))
        return chosen or otherwise or self._locales.get(user)

    async def texts(self, interaction: Interaction) -> Texts:
        """Texts for the person who acts."""
        return discord_texts(await self.language(interaction.user.id, interaction.locale.value))

    async def say(self, interaction: Interaction, message: str, **values: object) -> None:
        """Says one of Discord's own texts, for the eyes of the one who acts only."""
        texts = await self.texts(interaction)
        await whisper(interaction, notice(texts(message, **values), texts))

    # What can go wrong

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Marks that an answer is being made, for :meth:`close` to wait for."""
        self._busy += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._busy -= 1
            if not self._busy:
                self._idle.set()

    async def guarded(self, interaction: Interaction, work: Coroutine[Any, Any, None]) -> None:
        """Does the work of an interaction; whatever goes wrong is logged and said."""
        try:
            with self.busy():
                await work
        except Exception as error:  # noqa: BLE001 - the last line of defence
            await self.failed(interaction, error)

    async def failed(self, interaction: Interaction, error: Exception) -> None:
        """Logs an error that nobody expected and tells the person about it."""
        error = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        if isinstance(error, discord.NotFound):
            # The interaction has expired, or somebody deleted the message: nobody is there.
            log.info("an interaction is gone: %s", error)
            return
        log.error("an interaction failed", exc_info=error)
        try:
            texts = await self.texts(interaction)
            await whisper(interaction, error_reply(ServerFailure(""), texts))
        except discord.HTTPException as second:
            log.warning("and could not be answered: %s", second)
