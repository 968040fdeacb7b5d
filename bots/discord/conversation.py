"""How the bot talks in an interaction: at once a sign of work, then one message.

Discord waits three seconds for the first word and fifteen minutes for the last.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import discord

from bots.core.answer import Asker, Mode
from bots.core.reply import Action, Reply, ReplyKind
from bots.discord.photos import copies_for_message, copy_name, read_photos
from bots.discord.render import MAX_FILE_BYTES, render

if TYPE_CHECKING:
    from bots.discord.bot import LookalikeBot

    Interaction = discord.Interaction[LookalikeBot]

__all__ = [
    "PLATFORM",
    "answer",
    "answer_photos",
    "asker_in",
    "editing",
    "file_limit",
    "is_answer",
    "whisper",
]

PLATFORM = "discord"


async def asker_in(interaction: Interaction, *, private: bool) -> Asker:
    """Who asks.

    Args:
        interaction: In which something is asked.
        private: Whether only the person sees the answer.
    """
    # A channel for adults counts as private: what is refused elsewhere is hidden there.
    alone = private or interaction.context.dm_channel
    group = not alone and not getattr(interaction.channel, "nsfw", False)
    language = await interaction.client.language(interaction.user.id, interaction.locale.value)
    return Asker(
        PLATFORM, str(interaction.user.id), str(interaction.channel_id), language, group=group
    )


async def answer_photos(
    interaction: Interaction,
    attachments: Sequence[discord.Attachment],
    mode: Mode,
    *,
    private: bool = False,
) -> None:
    """Answers photos with one message, which shows small copies of them."""
    await interaction.response.defer(ephemeral=private, thinking=True)
    asker = await asker_in(interaction, private=private)
    photos = await read_photos(attachments)
    # Copies are made while the server looks at the photos.
    reply, copies = await asyncio.gather(
        interaction.client.desk.handle_photo(asker, photos, mode=mode), copies_for_message(photos)
    )
    await answer(interaction, reply, private=private, copies=copies)


def is_answer(reply: Reply) -> bool:
    """Whether a reply is what was asked for: no error, no limit, no refusal."""
    return not reply.reason and reply.kind not in {ReplyKind.ERROR, ReplyKind.LIMITED}


async def answer(
    interaction: Interaction, reply: Reply, *, private: bool, copies: Sequence[bytes] = ()
) -> None:
    """Says the reply in an interaction that was deferred with ``thinking``.

    What is no answer is for the asker's eyes only. A message that was deferred for everyone
    cannot become private any more, so it is completed, said again in private, and taken
    away: whatever fails on the way, something has been said.

    Args:
        interaction: The interaction.
        reply: What to say.
        private: Whether it was deferred for the asker's eyes only.
        copies: JPEGs of the photos that it is about, to be shown with the answer.
    """
    limit = file_limit(interaction)
    if is_answer(reply):
        await interaction.edit_original_response(**editing(reply, copies, limit=limit))
        return
    reply = reply.without_buttons(Action.RETRY)  # the photo hangs on no message
    await interaction.edit_original_response(**editing(reply, (), limit=limit))
    if not private and not interaction.context.dm_channel:
        await whisper(interaction, reply)
        await interaction.delete_original_response()


async def whisper(interaction: Interaction, reply: Reply) -> None:
    """Says the reply for the eyes of the one who acts only, whatever was said before."""
    message = render(reply, file_limit=file_limit(interaction)).for_sending()
    if interaction.response.is_done():
        await interaction.followup.send(**message, ephemeral=True)
    else:
        await interaction.response.send_message(**message, ephemeral=True)


def file_limit(interaction: Interaction) -> int:
    """Bytes that a file may have here."""
    return min(interaction.filesize_limit or MAX_FILE_BYTES, MAX_FILE_BYTES)


def editing(
    reply: Reply, copies: Sequence[bytes], *, limit: int, embeds: bool = True
) -> dict[str, Any]:
    """Arguments that put the reply into a message, beside copies of its photos."""
    message = render(reply, embeds=embeds, file_limit=limit)
    changes = message.for_editing()
    if copies:
        files = [
            discord.File(io.BytesIO(copy), filename=copy_name(number), spoiler=reply.spoiler)
            for number, copy in enumerate(copies, start=1)
        ]
        changes["attachments"] = [*changes["attachments"], *files]
        if message.embed is not None and not reply.spoiler:
            # Small beside a card, else large; a hidden one must not get into an embed.
            url = f"attachment://{files[0].filename}"
            if message.file:
                message.embed.set_thumbnail(url=url)
            else:
                message.embed.set_image(url=url)
    return changes
