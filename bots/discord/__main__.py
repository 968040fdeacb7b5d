"""``lookalike-discord``: runs the bot, or publishes its commands."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from typing import Annotated

import discord
import typer
from pydantic import ValidationError

from bots.discord.bot import LookalikeBot
from bots.discord.settings import DiscordSettings

__all__ = ["main"]

log = logging.getLogger(__name__)
app = typer.Typer(
    help="Answers photos on Discord.", no_args_is_help=False, pretty_exceptions_enable=False
)


@app.callback(invoke_without_command=True)
def run(context: typer.Context) -> None:
    """Run the bot. The token is read from LOOKALIKE_DISCORD_TOKEN."""
    if context.invoked_subcommand is not None:
        return
    settings, token = _settings()

    async def serve() -> None:
        async with LookalikeBot(settings) as bot:
            running = asyncio.ensure_future(bot.start(token))
            # As Ctrl-C: supervisors and containers stop a program with SIGTERM.
            with contextlib.suppress(NotImplementedError):  # Windows knows no such signal
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
            await running

    _run(serve())


@app.command()
def sync(
    guild: Annotated[
        int | None, typer.Option(help="Publish to this server only, where it works at once.")
    ] = None,
    *,
    clear: Annotated[bool, typer.Option(help="Take all commands back instead.")] = False,
) -> None:
    """Publish the commands. Needed once, and after an update that changes them."""
    settings, token = _settings()

    async def publish() -> None:
        async with LookalikeBot(settings) as bot:
            await bot.login(token)
            count = await bot.publish(guild=guild, clear=clear)
        typer.echo(f"{count} commands published")

    _run(publish())


def main() -> None:
    """Entry point of ``lookalike-discord``."""
    app()


def _settings() -> tuple[DiscordSettings, str]:
    try:
        settings = DiscordSettings.load()
    except ValidationError as error:
        # Names and messages only: a value may be a secret.
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            typer.echo(f"LOOKALIKE_{name}: {problem['msg']}", err=True)
        raise typer.Exit(2) from None
    if not settings.discord_token:
        typer.echo("Set LOOKALIKE_DISCORD_TOKEN to the bot's token.", err=True)
        raise typer.Exit(2)
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # On DEBUG, discord.py writes whole messages into the log: links to photos among them.
    logging.getLogger("discord").setLevel(max(logging.INFO, logging.getLogger().level))
    return settings, settings.discord_token.get_secret_value()


def _run(work: object) -> None:
    try:
        asyncio.run(work)  # type: ignore[arg-type]
    except (KeyboardInterrupt, asyncio.CancelledError):
        log.info("stopped")
    except discord.LoginFailure:
        typer.echo("Discord refuses the token in LOOKALIKE_DISCORD_TOKEN.", err=True)
        raise typer.Exit(1) from None
    except discord.PrivilegedIntentsRequired:
        typer.echo(
            "LOOKALIKE_DISCORD_WATCH needs the message-content intent: switch it on in Discord's "
            "developer portal (Bot, Privileged Gateway Intents), or unset the variable.",
            err=True,
        )
        raise typer.Exit(1) from None


if __name__ == "__main__":
    main()
