"""The Telegram bot inside a test, or as a process of its own, as operators start it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bots.telegram.app import ALLOWED_UPDATES, build
from bots.telegram.journal import JournaledApplication
from bots.telegram.settings import TelegramSettings
from tests.support.telegram_world import TOKEN, TelegramWorld

__all__ = ["bot_process", "running_bot"]


@asynccontextmanager
async def running_bot(
    world: TelegramWorld, server: str, data_dir: Path, **settings: Any
) -> AsyncIterator[JournaledApplication]:
    """The bot, polling, in this process."""
    defaults: dict[str, Any] = {"telegram_album_wait_s": 0.3, "deadline_s": 30.0}
    application = build(
        TelegramSettings(
            server=server,
            telegram_token=TOKEN,
            telegram_base_url=world.base_url,
            data_dir=data_dir,
            **(defaults | settings),
        )
    )
    async with application:
        assert application.post_init
        assert application.post_stop
        assert application.updater
        await application.post_init(application)
        await application.start()
        await application.updater.start_polling(allowed_updates=ALLOWED_UPDATES, poll_interval=0.0)
        try:
            yield application
        finally:
            await application.updater.stop()
            await application.stop()
            await application.post_stop(application)


@asynccontextmanager
async def bot_process(
    world: TelegramWorld, server: str, data_dir: Path, **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """``python -m bots.telegram``, polling; killed at the end if it still runs."""
    data_dir.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240
    with (data_dir / "bot.log").open("ab") as log:  # a pipe that nobody reads could fill up
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bots.telegram"),
            env={
                **os.environ,
                "LOOKALIKE_SERVER": server,
                "LOOKALIKE_TELEGRAM_TOKEN": TOKEN,
                "LOOKALIKE_TELEGRAM_BASE_URL": world.base_url,
                "LOOKALIKE_DATA_DIR": str(data_dir),
                **environment,
            },
            stderr=log,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
