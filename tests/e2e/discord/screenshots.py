"""Takes the picture of the bot for the README: ``python -m tests.e2e.discord.screenshots``.

Everything is real but Discord: the model server with its models, the bot, its messages and
buttons, drawn by simcord's preview in Chromium. The photo is scikit-image's astronaut;
portraits are cards drawn by the server. ``--server`` takes a server that is running.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import async_playwright

from benchmarks.photos import jpeg, sample_photo
from tests.support.discord_world import make_bot, world
from tests.support.model_server import ModelServerProcess

PICTURE = Path(__file__).resolve().parents[3] / "docs" / "images" / "discord.png"
SIZE = (760, 700)


async def main() -> None:
    """Asks about the photo and draws the channel."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--server", help="Address of a model server that is running")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        address = given.server
        if not address:
            address = stack.enter_context(ModelServerProcess(folder)).wait_until_serving().address
        bot = make_bot(address, folder, deadline_s=60.0)
        async with world(bot, settle_timeout=60.0) as env:
            env.backend.bot_user.name = "Lookalike"
            guild = env.create_guild("Friends")
            channel = guild.create_text_channel("photos")
            alice = guild.add_member(env.create_user("alice"))
            await alice.slash(channel, "lookalike", photo=("me.jpg", jpeg(sample_photo())))
            PICTURE.parent.mkdir(parents=True, exist_ok=True)
            PICTURE.write_bytes(smaller(await draw(env, channel, alice)))
    print(f"{PICTURE.name}: {PICTURE.stat().st_size // 1024} kB")  # noqa: T201


async def draw(env: Any, channel: Any, viewer: Any) -> bytes:
    """A PNG of the channel as the viewer sees it."""
    width, height = SIZE
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        async with env.preview(
            channel,
            viewers=[viewer],
            layout="channel",
            display="fixed",
            width=width,
            height=height,
        ) as preview:
            # It would look for a Chromium that Playwright downloaded.
            preview._capture_manager._browser = browser
            capture = await preview.screenshot(mode="viewport", allow_incomplete=True)
    return capture.png


def smaller(png: bytes) -> bytes:
    """The same with 256 colours."""
    buffer = io.BytesIO()
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


if __name__ == "__main__":
    asyncio.run(main())
