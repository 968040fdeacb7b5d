"""What Discord is told about the commands, and when."""

from __future__ import annotations

import re

from tests.support.discord_world import make_bot, world

NAME = re.compile(r"[-_'\w\u0900-\u097f]{1,32}")


def walk(command):
    """A command and all its options and choices."""
    yield command
    for part in (*command.get("options", ()), *command.get("choices", ())):
        yield from walk(part)


async def test_starting_publishes_nothing(scene):
    """Only ``sync`` publishes: Discord limits how often that may be done."""
    puts = [r for r in scene.env.http_requests if r.method == "PUT"]
    assert len(puts) == 1  # the pretend world's own
    await scene.restart()
    assert [r for r in scene.env.http_requests if r.method == "PUT"] == puts


async def test_translations_are_within_discords_limits(scene):
    """Names and descriptions of every language are short and well-formed."""
    body = next(r.json for r in scene.env.http_requests if r.method == "PUT")
    assert {c["name"] for c in body if c["type"] == 1} == {
        "celebrity",
        "compare",
        "describe",
        "forget_me",
        "help",
        "language",
        "lookalike",
        "privacy",
        "settings",
    }
    parts = [part for command in body for part in walk(command)]
    for part in parts:
        for text in (part.get("description_localizations") or {}).values():
            assert 1 <= len(text) <= 100
        for locale, name in (part.get("name_localizations") or {}).items():
            assert len(name) <= 100
            if "description" in part:
                assert NAME.fullmatch(name), (locale, name)
                assert name == name.lower()
    german = next(c for c in body if c["name"] == "lookalike")
    assert german["description_localizations"]["de"].startswith("Die Prominenten")
    menu = next(c for c in body if c["name"] == "Describe this photo")
    assert menu["name_localizations"]["fr"] == "Décrire cette photo"


async def test_commands_work_in_servers_direct_messages_and_for_people(scene):
    """They can be installed to a server and to a person, and used anywhere."""
    body = next(r.json for r in scene.env.http_requests if r.method == "PUT")
    assert all(sorted(command["contexts"]) == [0, 1, 2] for command in body)
    assert all(sorted(command["integration_types"]) == [0, 1] for command in body)


async def test_watch_is_for_servers_and_for_those_who_manage_channels(server, tmp_path):
    """/watch is published only where it is allowed, and not to everyone."""
    async with world(make_bot(server.address, tmp_path, discord_watch=True)) as env:
        watch = env.backend.find_command("watch", None, type=1)
        assert watch["contexts"] == [0]
        assert int(watch["default_member_permissions"]) == 1 << 4


async def test_commands_can_be_tried_in_one_server_and_taken_back(scene):
    """``sync --guild`` publishes to a server, ``--clear`` takes commands back."""
    count = await scene.bot.publish(guild=scene.guild.id)
    assert count == 11
    assert await scene.bot.publish(guild=scene.guild.id, clear=True) == 0
