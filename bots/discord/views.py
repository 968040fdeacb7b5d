"""Buttons under answers: recognised by their ``custom_id``, so that restarts lose none.

The data of a button names the answer. What the bot no longer remembers of it is found out
again from the photo, if the message still shows it or replies to it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import discord

from bots.core.desk import PhotoSource
from bots.core.errors import BadPhoto
from bots.core.languages import texts_for
from bots.core.notices import error_reply
from bots.core.reply import Action, Press, Reply
from bots.core.speech import SpeechUnavailable
from bots.discord.conversation import asker_in, editing, file_limit, is_answer, whisper
from bots.discord.photos import copies_in, photos_again, source_message
from bots.discord.render import CUSTOM_ID_PREFIX
from bots.discord.shown import shown_files

if TYPE_CHECKING:
    from bots.discord.bot import LookalikeBot

    Interaction = discord.Interaction[LookalikeBot]

__all__ = ["PressButton"]


class PressButton(
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
    template=re.escape(CUSTOM_ID_PREFIX) + r"(?P<data>.{1,64})",
):
    """Any button of ours, whichever message it is under.

    Args:
        item: The button as it is in the message.
        data: What :class:`~bots.core.reply.Press` made of the press.
    """

    def __init__(self, item: discord.ui.Button[discord.ui.View], data: str) -> None:
        super().__init__(item)
        self.data = data

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],
        item: discord.ui.Item[Any],
        match: re.Match[str],
        /,
    ) -> Self:
        """The button that was pressed."""
        if not isinstance(item, discord.ui.Button):
            raise TypeError("only buttons have ids of ours")
        interaction.client.remember_locale(interaction)
        return cls(item, match["data"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Does what the button says."""
        await interaction.client.guarded(interaction, self._pressed(interaction))

    async def _pressed(self, interaction: Interaction) -> None:
        if interaction.message is None:
            return
        try:
            press = Press.parse(self.data)
        except ValueError:  # of another version
            press = Press("-", Action.OVERVIEW)
        work = _HANDLERS.get(press.action, _turn)
        await work(interaction, interaction.message, press)


async def _turn(interaction: Interaction, message: discord.Message, press: Press) -> None:
    """Shows another page: in the message for its owner, in private for others."""
    own = await _owns(interaction, message)
    if own:
        await interaction.response.defer()
    else:
        await interaction.response.defer(ephemeral=True, thinking=True)
    reply = await _reply(interaction, message, press)
    if not is_answer(reply):
        await whisper(interaction, reply.without_buttons(Action.RETRY))
    elif own:
        await _show(interaction, message, reply)
    else:
        await whisper(interaction, reply.without_buttons(Action.DELETE, Action.SHARE))


async def _reply(interaction: Interaction, message: discord.Message, press: Press) -> Reply:
    """What the press leads to, the answer found out again where it was forgotten."""
    desk = interaction.client.desk
    asker = await asker_in(interaction, private=message.flags.ephemeral)
    again: PhotoSource | None = None
    if desk.answers.get(press.key) is None and (
        photos := await photos_again(interaction.client, message)
    ):

        async def again() -> Sequence[bytes | BadPhoto]:
            return photos

    reply = await desk.handle_press(asker, press.data, photos=again)
    hidden = any(file.spoiler for file in shown_files(interaction.client, message))
    return replace(reply, spoiler=reply.spoiler or hidden)


async def _show(interaction: Interaction, message: discord.Message, reply: Reply) -> None:
    """Puts the reply into the message; its copies of photos stay."""
    copies = await copies_in(interaction.client, message)
    changes = editing(reply, copies, limit=file_limit(interaction), embeds=bool(message.embeds))
    await interaction.edit_original_response(**changes)


async def _delete(interaction: Interaction, message: discord.Message, _: Press) -> None:
    """Takes the answer away, for its owner and for those who look after the channel."""
    if await _owns(interaction, message) or interaction.permissions.manage_messages:
        await interaction.response.defer()
        await interaction.delete_original_response()
    else:
        bot = interaction.client
        await bot.say(interaction, "Only the person who asked can delete this answer.")


async def _share(interaction: Interaction, message: discord.Message, _: Press) -> None:
    """Posts what the message shows, without buttons and photo, to be forwarded or kept."""
    await interaction.response.defer(thinking=True)
    cards = [file for file in shown_files(interaction.client, message) if not file.is_copy]
    files = [
        discord.File(io.BytesIO(await card.read()), card.name, spoiler=card.spoiler)
        for card in cards
    ]
    embeds = []
    for shown in message.embeds:
        embed = shown.copy().set_thumbnail(url=None).set_image(url=None)
        if files and not files[0].spoiler:
            embed.set_image(url=f"attachment://{files[0].filename}")
        embeds.append(embed)
    await interaction.followup.send(
        content=message.content or discord.utils.MISSING, embeds=embeds, files=files
    )


async def _speak(interaction: Interaction, message: discord.Message, press: Press) -> None:
    """Reads the answer aloud, for the one who asked for it."""
    await interaction.response.defer(ephemeral=True, thinking=True)
    bot = interaction.client
    texts = await bot.texts(interaction)
    spoken = bot.desk.spoken_text(press.key, texts.language)
    if spoken is None:
        reply = await _reply(interaction, message, replace(press, action=Action.OVERVIEW))
        spoken = bot.desk.spoken_text(press.key, texts.language)
        if spoken is None:
            await whisper(interaction, reply.without_buttons(Action.RETRY))
            return
    caption, words = spoken
    try:
        voice = await bot.speaker.speak([("en", caption), (texts.language, words)])
    except SpeechUnavailable:
        await bot.say(interaction, "I cannot speak at the moment.")
        return
    await interaction.followup.send(
        file=discord.File(io.BytesIO(voice), filename="lookalike.ogg"), ephemeral=True
    )


async def _retry(interaction: Interaction, message: discord.Message, _: Press) -> None:
    """Tries again what failed before, in the same message."""
    await interaction.response.defer()
    bot = interaction.client
    asker = await asker_in(interaction, private=message.flags.ephemeral)
    photos = await photos_again(interaction.client, message)
    if photos:
        mode = await bot.store.mode(asker)
        await _show(interaction, message, await bot.desk.handle_photo(asker, photos, mode=mode))
    else:
        gone = error_reply(BadPhoto("gone", reason="CORRUPT_PHOTO"), texts_for(asker.language))
        await whisper(interaction, gone)


async def _owns(interaction: Interaction, message: discord.Message) -> bool:
    """Whether the answer was made for the one who pressed."""
    if message.flags.ephemeral or interaction.context.dm_channel:
        return True
    if message.interaction_metadata is not None:
        return message.interaction_metadata.user.id == interaction.user.id
    source = await source_message(message)
    return source is not None and source.author.id == interaction.user.id


_HANDLERS: dict[Action, Callable[[Interaction, discord.Message, Press], Awaitable[None]]] = {
    Action.DELETE: _delete,
    Action.SHARE: _share,
    Action.SPEAK: _speak,
    Action.RETRY: _retry,
}
