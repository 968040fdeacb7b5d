"""``lookalike-discord`` on the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import discord
import pytest
from typer.testing import CliRunner

from bots.discord import __main__ as command
from bots.discord.bot import LookalikeBot, intents_for
from bots.discord.settings import DiscordSettings


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # no .env
    monkeypatch.delenv("LOOKALIKE_DISCORD_TOKEN", raising=False)
    monkeypatch.setenv("LOOKALIKE_DATA_DIR", str(tmp_path))


@pytest.mark.parametrize("arguments", [[], ["sync"]])
@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_it_says_what_is_missing(monkeypatch, arguments, token):
    """Neither running nor publishing starts without a token; an empty one is none."""
    if token is not None:
        monkeypatch.setenv("LOOKALIKE_DISCORD_TOKEN", token)
    result = CliRunner().invoke(command.app, arguments)
    assert result.exit_code == 2
    assert "LOOKALIKE_DISCORD_TOKEN" in result.output


def test_a_wrong_setting_is_named_but_not_quoted(monkeypatch):
    """A value may be a secret in the wrong place."""
    monkeypatch.setenv("LOOKALIKE_DISCORD_SHARD_COUNT", "s3cret")
    result = CliRunner().invoke(command.app, [])
    assert result.exit_code == 2
    assert "LOOKALIKE_DISCORD_SHARD_COUNT" in result.output
    assert "s3cret" not in result.output


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (discord.LoginFailure("no"), "refuses the token"),
        (discord.PrivilegedIntentsRequired(0), "developer portal"),
    ],
)
def test_what_discord_refuses_is_explained(monkeypatch, error, words):
    """A wrong token and a missing intent end with a sentence, not with a traceback."""
    monkeypatch.setenv("LOOKALIKE_DISCORD_TOKEN", "t0ken")

    async def refuse(*_):
        raise error

    monkeypatch.setattr(LookalikeBot, "start", refuse)
    result = CliRunner().invoke(command.app, [])
    assert result.exit_code == 1
    assert words in result.output
    assert "t0ken" not in result.output


def test_sync_publishes_and_says_how_many(monkeypatch):
    """``sync`` logs in, publishes, and hangs up again; it never connects to the gateway."""
    monkeypatch.setenv("LOOKALIKE_DISCORD_TOKEN", "t0ken")
    seen = []

    async def login(self, token):
        seen.append(token)
        await self.setup_hook()

    async def publish(self, *, guild, clear):
        seen.append((guild, clear))
        return 11

    monkeypatch.setattr(LookalikeBot, "login", login)
    monkeypatch.setattr(LookalikeBot, "publish", publish)
    result = CliRunner().invoke(command.app, ["sync", "--guild", "7"])
    assert result.exit_code == 0, result.output
    assert "11 commands" in result.output
    assert seen == ["t0ken", (7, False)]


BUSY = """
    import asyncio
    from bots.discord import __main__ as command
    from bots.discord.bot import LookalikeBot

    async def answer(bot):
        with bot.busy():
            print("begun", flush=True)
            await asyncio.sleep(0.5)
            print("answered", flush=True)

    async def start(bot, token):
        answering = asyncio.create_task(answer(bot))
        await asyncio.Event().wait()

    LookalikeBot.start = start
    command.main()
"""


def test_a_stop_lets_it_finish_what_it_has_begun():
    """Containers and supervisors send SIGTERM: the answer under way is given, then it leaves."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(BUSY)],
        env=os.environ
        | {"LOOKALIKE_DISCORD_TOKEN": "t0ken", "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "begun\n", process.communicate()
    process.send_signal(signal.SIGTERM)
    output, log = process.communicate(timeout=60)
    assert (output, process.returncode) == ("answered\n", 0), log
    assert "Traceback" not in log


def test_intents_are_as_few_as_possible():
    """Nothing privileged unless /watch is switched on; never members or presences."""
    few = intents_for(DiscordSettings(_env_file=None))
    assert {name for name, on in few if on} == WANTED
    more = intents_for(DiscordSettings(_env_file=None, discord_watch=True))
    assert {name for name, on in more if on} == WANTED | {"message_content"}


WANTED = {"guilds", "guild_messages", "dm_messages"}
