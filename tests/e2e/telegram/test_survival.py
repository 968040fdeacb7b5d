"""What happens when something vanishes: the bot, Telegram, the model server."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from lo_bot_api_emulator import ApiRefusal
from telegram import Update

from bots.telegram.journal import JournaledApplication
from tests.support.fake_server import FakeServer, picture, running_server
from tests.support.telegram_bot import bot_process, running_bot
from tests.support.telegram_world import TOKEN, TelegramWorld, running_world


async def asked(server: FakeServer) -> None:
    """Until the server works on a photo."""
    async with asyncio.timeout(30):
        while not server.in_flight:  # noqa: ASYNC110 - the fake has no event for it
            await asyncio.sleep(0.02)


async def test_a_bot_that_is_killed_answers_after_its_restart(
    world: TelegramWorld, server: FakeServer, tmp_path: Path
) -> None:
    """Killed in the middle of an album: after the restart one answer about all of it."""
    server.delay_s = 60.0
    async with bot_process(
        world, server.address, tmp_path, LOOKALIKE_TELEGRAM_ALBUM_WAIT_S="0.3"
    ) as process:
        for color in ("red", "blue", "green"):
            await world.write(world.photo_message(picture(color), media_group_id="album"))
        await asked(server)
        process.kill()
        await process.wait()
    assert not [one for one in world.sent if one.method == "sendPhoto"]
    server.delay_s = 0.0
    async with running_bot(world, server.address, tmp_path):
        [sent] = await world.until("sendPhoto")
        assert "Photo 3:" in sent.text
        await asyncio.sleep(0.5)
        assert len(world.sent) == 1


async def test_a_bot_that_is_stopped_finishes_its_answers(
    world: TelegramWorld, server: FakeServer, tmp_path: Path
) -> None:
    """SIGTERM during a call: the answer comes, then the process ends well; none comes twice."""
    server.delay_s = 1.0
    async with bot_process(world, server.address, tmp_path) as process:
        await world.write(world.photo_message(picture()))
        await asked(server)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    assert len(await world.until("sendPhoto")) == 1
    async with running_bot(world, server.address, tmp_path):
        await asyncio.sleep(0.5)
    assert len(world.sent) == 1


async def test_an_update_that_comes_twice_is_answered_once(
    bot: JournaledApplication, world: TelegramWorld
) -> None:
    """A webhook that is tried again, or polling that was cut off."""
    await world.write(world.photo_message(picture()))
    [update] = world._update_queues._state(TOKEN).updates
    await world.until("sendPhoto")
    await bot.update_queue.put(Update.de_json(update, bot.bot))
    await asyncio.sleep(0.5)
    assert len(world.sent) == 1


async def test_telegram_may_go_away_and_come_back(server: FakeServer, tmp_path: Path) -> None:
    """While an answer is on its way: it is sent when Telegram is there again."""
    server.delay_s = 1.0
    async with running_world() as world:
        port = int(world.base_url.rpartition(":")[2])
        async with running_bot(world, server.address, tmp_path):
            await world.write(world.photo_message(picture()))
            await asked(server)
            await world.stop()
            await asyncio.sleep(1.5)
            assert not world.sent
            await world.start(port)
            [sent] = await world.until("sendPhoto", timeout_s=40)
            assert "1. Star 1" in sent.text
            await world.write(world.photo_message(picture()))
            await world.until("sendPhoto", 2, timeout_s=60)


@pytest.mark.usefixtures("bot")
async def test_telegram_may_ask_to_wait(world: TelegramWorld) -> None:
    """429 with retry_after: the answer comes after that, once."""
    refused: list[str] = []

    def refuse(method: str, _fields: dict[str, Any]) -> None:
        if method == "sendPhoto" and not refused:
            refused.append(method)
            raise ApiRefusal("Too Many Requests: retry after 1", 429, {"retry_after": 1})

    world.refuse = refuse
    await world.write(world.photo_message(picture()))
    await world.until("sendPhoto")
    assert refused
    assert len(world.sent) == 1
    world.refusals.clear()


async def test_the_model_server_may_go_away_and_come_back(
    world: TelegramWorld, tmp_path: Path
) -> None:
    """Gone, it is waited for as long as the deadline allows; back, everything works again."""
    async with running_server() as server:
        port = int(server.address.rpartition(":")[2])
    async with running_bot(world, server.address, tmp_path, deadline_s=1.0):
        await world.write(world.photo_message(picture()))
        [sent] = await world.until("sendMessage")
        assert "I cannot look at photos at the moment" in sent.text
        assert "Try again" in sent.buttons
    async with running_bot(world, server.address, tmp_path, deadline_s=20.0):
        await world.write(world.photo_message(picture()))
        await asyncio.sleep(0.5)
        async with running_server(server, port):
            await world.until("sendPhoto")


@pytest.mark.parametrize("path", ["/telegram", "/hooks/look%20alike/", ""])
async def test_updates_come_by_webhook_too(
    server: FakeServer, tmp_path: Path, unused_tcp_port: int, path: str
) -> None:
    """At the URL's own path, with the secret token; without it nothing is taken."""
    url = f"http://127.0.0.1:{unused_tcp_port}{path}"
    async with (
        running_world(allow_insecure_loopback_webhooks=True) as world,
        bot_process(
            world,
            server.address,
            tmp_path,
            LOOKALIKE_TELEGRAM_WEBHOOK_URL=url,
            LOOKALIKE_TELEGRAM_WEBHOOK_PORT=str(unused_tcp_port),
            LOOKALIKE_TELEGRAM_WEBHOOK_SECRET="s3cret",
        ),
    ):
        async with asyncio.timeout(30):
            while not world._update_queues.info(TOKEN)["url"]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await world.write(world.photo_message(picture()))
        await world.until("sendPhoto")
        forged = {"update_id": 99, "message": world.photo_message(picture())}
        async with httpx.AsyncClient() as stranger:
            assert (await stranger.post(url, json=forged)).status_code == 403
        await asyncio.sleep(0.3)
        assert len([one for one in world.sent if one.method == "sendPhoto"]) == 1


async def test_nothing_of_a_photo_is_on_disk(
    world: TelegramWorld, server: FakeServer, tmp_path: Path
) -> None:
    """Neither the photo nor the cut-out faces, in no file of the bot."""
    content = picture((1, 2, 3), (300, 300))
    crop = picture("peru")
    async with running_bot(world, server.address, tmp_path):
        await world.write(world.photo_message(content, caption="a-very-rare-word"))
        [sent] = await world.until("sendPhoto")
        assert sent.picture
        await asyncio.sleep(0.3)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]  # noqa: ASYNC240
    assert files
    for path in files:
        stored = path.read_bytes()
        for secret in (content[-60:], crop[-60:], sent.picture[-60:], b"a-very-rare-word"):
            assert secret not in stored


async def test_settings_that_do_not_do_are_explained(tmp_path: Path) -> None:
    """Without a token the bot says which setting is missing, and ends with 2."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bots.telegram"), cwd=tmp_path, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 2
    assert said.decode().startswith("LOOKALIKE_TELEGRAM_TOKEN: ")


async def test_a_token_that_telegram_rejects_is_not_printed(
    world: TelegramWorld, server: FakeServer, tmp_path: Path
) -> None:
    """One sentence, and an end; nothing quotes the token."""

    def refuse(_method: str, _fields: dict[str, Any]) -> None:
        raise ApiRefusal("Unauthorized", 401)

    world.refuse = refuse
    async with bot_process(world, server.address, tmp_path) as process, asyncio.timeout(60):
        assert await process.wait() == 1
    said = (tmp_path / "bot.log").read_text()
    assert said == "LOOKALIKE_TELEGRAM_TOKEN: Telegram does not know this token.\n"
    world.refusals.clear()
