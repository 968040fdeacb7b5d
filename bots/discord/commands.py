"""Slash commands."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bots.core.answer import Mode
from bots.core.errors import BadPhoto
from bots.core.languages import LANGUAGES, texts_for
from bots.core.notices import error_reply, notice, privacy_paragraphs
from bots.core.reply import Line, LineKind, Reply, ReplyKind
from bots.core.store import Scope
from bots.discord.conversation import answer, answer_photos, asker_in, whisper
from bots.discord.photos import read_photos
from bots.discord.texts import discord_texts, text

if TYPE_CHECKING:
    from bots.core.languages import Texts
    from bots.discord.bot import LookalikeBot

    Interaction = discord.Interaction[LookalikeBot]

__all__ = ["Commands"]


SUGGESTIONS = 25
"""Choices that Discord shows."""
SUGGEST_WITHIN_S = 2.0
"""Discord waits three seconds for them."""
MAX_CHOICE = 100
CLIENT_LANGUAGE = "auto"


class Commands(commands.Cog):
    """What people can ask for by ``/``."""

    def __init__(self, bot: LookalikeBot) -> None:
        self.bot = bot

    @app_commands.command(name="describe", description=text("Say what a photo shows"))
    @app_commands.rename(photo=text("photo"), private=text("private"))
    @app_commands.describe(photo=text("The photo"), private=text("Show the answer to you only"))
    async def describe(
        self, interaction: Interaction, photo: discord.Attachment, private: bool = False
    ) -> None:
        """What a photo shows, and what the faces on it look like."""
        work = answer_photos(interaction, [photo], Mode.DESCRIBE, private=private)
        await self.bot.guarded(interaction, work)

    @app_commands.command(
        name="lookalike", description=text("Find the celebrities that a face looks like")
    )
    @app_commands.rename(photo=text("photo"), private=text("private"))
    @app_commands.describe(photo=text("The photo"), private=text("Show the answer to you only"))
    async def lookalike(
        self, interaction: Interaction, photo: discord.Attachment, private: bool = False
    ) -> None:
        """Everything about a photo: card, caption, faces, look-alikes."""
        work = answer_photos(interaction, [photo], Mode.FULL, private=private)
        await self.bot.guarded(interaction, work)

    @app_commands.command(
        name="compare", description=text("Tell how alike the faces on two photos are")
    )
    @app_commands.rename(first=text("first"), second=text("second"), private=text("private"))
    @app_commands.describe(
        first=text("The first photo"),
        second=text("The second photo"),
        private=text("Show the answer to you only"),
    )
    async def compare(
        self,
        interaction: Interaction,
        first: discord.Attachment,
        second: discord.Attachment,
        private: bool = False,
    ) -> None:
        """How alike the largest faces of two photos are."""
        await self.bot.guarded(interaction, self._compare(interaction, first, second, private))

    async def _compare(
        self,
        interaction: Interaction,
        first: discord.Attachment,
        second: discord.Attachment,
        private: bool,
    ) -> None:
        await interaction.response.defer(ephemeral=private, thinking=True)
        asker = await asker_in(interaction, private=private)
        match await read_photos([first, second]):
            case [bytes() as one, bytes() as other]:
                reply = await self.bot.desk.compare(asker, one, other)
            case photos:
                error = next(photo for photo in photos if isinstance(photo, BadPhoto))
                reply = error_reply(error, texts_for(asker.language))
        await answer(interaction, reply, private=private)

    @app_commands.command(
        name="celebrity", description=text("Show a celebrity's portrait and who it is")
    )
    @app_commands.rename(name=text("name"))
    @app_commands.describe(name=text("The celebrity's name"))
    async def celebrity(
        self, interaction: Interaction, name: app_commands.Range[str, 1, MAX_CHOICE]
    ) -> None:
        """Portrait of a celebrity, and who it is."""
        await self.bot.guarded(interaction, self._celebrity(interaction, name))

    async def _celebrity(self, interaction: Interaction, name: str) -> None:
        await interaction.response.defer(thinking=True)
        asker = await asker_in(interaction, private=False)
        await answer(interaction, await self.bot.desk.celebrity(asker, name), private=False)

    @celebrity.autocomplete("name")
    async def celebrity_names(self, _: Interaction, current: str) -> list[app_commands.Choice[str]]:
        """Names that fit what was typed so far."""
        try:
            async with asyncio.timeout(SUGGEST_WITHIN_S):
                names = await self.bot.desk.suggest(current, SUGGESTIONS)
        except TimeoutError:
            return []
        short = [name for name in names if len(name) <= MAX_CHOICE][:SUGGESTIONS]
        return [app_commands.Choice(name=name, value=name) for name in short]

    @app_commands.command(name="language", description=text("Choose the language of the answers"))
    @app_commands.rename(language=text("language"))
    @app_commands.describe(language=text("The language"))
    @app_commands.choices(
        language=[
            *(app_commands.Choice(name=name, value=code) for code, name in LANGUAGES.items()),
            app_commands.Choice(name=text("As in my Discord"), value=CLIENT_LANGUAGE),
        ]
    )
    async def language(self, interaction: Interaction, language: app_commands.Choice[str]) -> None:
        """Chooses the language of the answers."""
        chosen = None if language.value == CLIENT_LANGUAGE else language.value
        await self.bot.store.put(Scope.USER, str(interaction.user.id), "language", chosen)
        texts = await self.bot.texts(interaction)
        name = LANGUAGES[texts.language]
        await self.bot.say(interaction, "I will answer in {language}.", language=name)

    @app_commands.command(name="settings", description=text("See and change your settings"))
    @app_commands.rename(answers=text("answers"))
    @app_commands.describe(answers=text("What answers to your photos should tell"))
    @app_commands.choices(
        answers=[
            app_commands.Choice(name=text("Everything"), value=Mode.FULL.value),
            app_commands.Choice(name=text("What the photo shows"), value=Mode.DESCRIBE.value),
            app_commands.Choice(name=text("Look-alikes only"), value=Mode.LOOKALIKE.value),
        ]
    )
    async def settings(
        self, interaction: Interaction, answers: app_commands.Choice[str] | None = None
    ) -> None:
        """Shows the person's settings; changes what is given."""
        user = str(interaction.user.id)
        if answers is not None:
            await self.bot.store.put(Scope.USER, user, "mode", answers.value)
        texts = await self.bot.texts(interaction)
        mode = await self.bot.store.mode(await asker_in(interaction, private=True))
        watched = await self.bot.store.is_watched(str(interaction.channel_id))
        await whisper(interaction, settings_reply(texts, mode, watched=watched))

    @app_commands.command(name="privacy", description=text("What happens to your photos"))
    async def privacy(self, interaction: Interaction) -> None:
        """What happens to photos and to what else is known."""
        texts = await self.bot.texts(interaction)
        paragraphs = privacy_paragraphs(texts, self.bot.settings.privacy_contact)
        copy = texts(
            "An answer to a command shows a small copy of the photo without its hidden data "
            "(place, camera). It is part of the message, and goes when you delete the message."
        )
        words = "\n\n".join((*paragraphs[:2], copy, *paragraphs[2:]))
        await whisper(interaction, notice(words, texts))

    @app_commands.command(name="help", description=text("What I can do"))
    async def help(self, interaction: Interaction) -> None:
        """What the bot can do and how it is asked."""
        await whisper(interaction, help_reply(await self.bot.texts(interaction)))

    @app_commands.command(
        name="forget_me", description=text("Delete your settings and remembered answers")
    )
    async def forget_me(self, interaction: Interaction) -> None:
        """Deletes what is stored about the person."""
        await self.bot.store.forget(Scope.USER, str(interaction.user.id))
        self.bot.desk.forget(await asker_in(interaction, private=True))
        self.bot.forget_locale(interaction.user.id)
        await self.bot.say(interaction, "Done: I have forgotten your settings and answers.")


def settings_reply(texts: Texts, mode: Mode, *, watched: bool) -> Reply:
    """A person's settings."""
    modes = {
        Mode.FULL: texts("Everything"),
        Mode.DESCRIBE: texts("What the photo shows"),
        Mode.LOOKALIKE: texts("Look-alikes only"),
    }
    lines = [
        Line(LineKind.TITLE, texts("Your settings")),
        Line(
            LineKind.TEXT,
            texts("Language: {language} (/language)", language=LANGUAGES[texts.language]),
        ),
        Line(LineKind.TEXT, texts("Answers: {answers} (/settings)", answers=modes[mode])),
    ]
    if watched:
        lines.append(Line(LineKind.NOTE, texts("I answer every photo in this channel.")))
    return Reply(ReplyKind.NOTICE, texts.language, tuple(lines))


def help_reply(texts: Texts) -> Reply:
    """What the bot can do and how it is asked."""
    words = (
        texts(
            "Give me a photo, and I tell what it shows and which celebrities the faces resemble."
        ),
        "/lookalike · /describe · /compare · /celebrity",
        texts(
            "Or open the menu of a message with a photo, choose Apps and then “Describe this "
            "photo” or “Who does this look like?”."
        ),
        texts("You can also send me photos in a direct message, or mention me beside a photo."),
        "/language · /settings · /privacy · /forget_me",
    )
    lines = (
        Line(LineKind.TITLE, texts("Hello, I am Lookalike")),
        *(Line(LineKind.TEXT, paragraph) for paragraph in words),
    )
    return Reply(ReplyKind.NOTICE, texts.language, lines)


def hint_reply(language: str | None) -> Reply:
    """For those who mention the bot without a photo."""
    return help_reply(discord_texts(language))
