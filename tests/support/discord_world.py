"""A pretend Discord for the tests of the bot: simcord, with what it lacks.

simcord drives one user action at a time and always speaks American English; here are
clients in other languages, embeds that take files out of a message's attachments as
Discord's do, commands from the menu of a message in a direct message, and
many actions at once.
"""

from __future__ import annotations

import copy
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import discord
import simcord
from simcord import actors, interactions
from simcord.backend import serializers
from simcord.enums import AppCommandType, InteractionType
from simcord.interactions import base_payload
from simcord.results import InteractionResult

from bots.discord.bot import LookalikeBot
from bots.discord.settings import DiscordSettings
from bots.discord.shown import shown_files

__all__ = ["buttons", "dm_menu", "embed_text", "files", "make_bot", "speaking", "world"]


def make_bot(address: str, folder: Path, **settings: Any) -> LookalikeBot:
    """A bot that asks the model server at ``address``."""
    defaults: dict[str, Any] = {
        "server": address,
        "data_dir": folder,
        "deadline_s": 4.0,
        "discord_shard_count": 1,
        "discord_commands_per_minute": 10_000,
        "photos_per_minute": 1_000,
        "chat_photos_per_minute": 10_000,
    }
    return LookalikeBot(DiscordSettings(_env_file=None, **{**defaults, **settings}))


@asynccontextmanager
async def world(bot: LookalikeBot, **options: Any) -> AsyncIterator[simcord.Env]:
    """Discord with the bot in it and its commands published."""
    with files_in_embeds():
        env = simcord.Env(bot, **{"settle_timeout": 20.0, **options})
        await env.start()
        try:
            await bot.publish()
            yield env
            await env.bot.close()
        finally:
            await env.shutdown()
        env._raise_errors_since(env._errors_acknowledged)


@contextmanager
def files_in_embeds() -> Iterator[None]:
    """A file that an embed shows is not listed among the message's attachments."""
    original = serializers.message_payload

    def payload(*args: Any, **kwargs: Any) -> Any:
        made = copy.deepcopy(original(*args, **kwargs))
        files = {f"attachment://{file['filename']}": file for file in made["attachments"]}
        for embed in made["embeds"]:
            for media in (embed.get("image"), embed.get("thumbnail")):
                if media and media["url"] in files:
                    media["url"] = files[media["url"]]["url"]
        shown = {
            media["url"]
            for embed in made["embeds"]
            for media in (embed.get("image"), embed.get("thumbnail"))
            if media
        }
        made["attachments"] = [file for file in made["attachments"] if file["url"] not in shown]
        return made

    serializers.message_payload = payload
    try:
        yield
    finally:
        serializers.message_payload = original


@contextmanager
def speaking(locale: str) -> Iterator[None]:
    """Clients are in this language, such as ``"fr"``, as long as the block runs."""

    def payload(*args: Any, **kwargs: Any) -> Any:
        record, made = base_payload(*args, **kwargs)
        made["locale"] = locale
        return record, made

    interactions.base_payload = payload
    try:
        yield
    finally:
        interactions.base_payload = base_payload


async def dm_menu(env: simcord.Env, user: Any, name: str, message: Any) -> InteractionResult:
    """A command from the menu of a message of a direct message."""
    stored = env.backend.get_message(message.channel.id, message.id)
    root = actors._resolve_visible_command(user, user.dm_channel.id, name, AppCommandType.MESSAGE)
    payload = dict(serializers.message_payload(env.backend, stored))
    data = {
        "id": root["id"],
        "name": root["name"],
        "type": AppCommandType.MESSAGE,
        "target_id": str(stored.id),
        "resolved": {"messages": {str(stored.id): payload}},
    }
    return await actors._dispatch_actor_interaction(
        user, InteractionType.APPLICATION_COMMAND, user.dm_channel, data
    )


def buttons(message: Any) -> dict[str, str]:
    """Labels of a message's buttons with their custom ids."""
    rows = message.components if isinstance(message.components, list) else []
    found: dict[str, str] = {}
    for row in rows:
        wire = row if isinstance(row, dict) else row.to_dict()
        for item in wire.get("components", ()):
            found[item["label"]] = item["custom_id"]
    return found


async def files(env: simcord.Env, message: Any) -> dict[str, bytes]:
    """Names and contents of the files that a message shows, in embeds or beside them."""
    real = message if isinstance(message, discord.Message) else message.message
    return {file.name: await file.read() for file in shown_files(env.bot, real)}


def embed_text(message: Any) -> str:
    """What the embeds of a message say, as people read it."""
    parts = [part for e in message.embeds for part in (e.title, e.description) if part]
    return re.sub(r"\\([^\w\s])", r"\1", "\n".join(parts))
