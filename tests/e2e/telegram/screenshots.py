"""Takes the picture of the bot for the README: ``python -m tests.e2e.telegram.screenshots``.

Everything is real but Telegram: the model server, the bot, its answer over HTTP from the
emulator. The emulator draws nothing, so the chat around the answer is drawn here, in
Chromium. The photo is scikit-image's astronaut; portraits are cards drawn by the server.
"""

from __future__ import annotations

import asyncio
import base64
import shutil
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright

from benchmarks.photos import jpeg, sample_photo
from tests.e2e.discord.screenshots import smaller
from tests.support.model_server import ModelServerProcess
from tests.support.telegram_bot import running_bot
from tests.support.telegram_world import Sent, running_world

PICTURE = Path(__file__).resolve().parents[3] / "docs" / "images" / "telegram.png"
SIZE = {"width": 520, "height": 900}

STYLE = """
body { margin: 0; padding: 16px; background: #8fb3a1; font: 15px/1.4 "Noto Sans", sans-serif; }
.message { width: fit-content; max-width: 400px; border-radius: 14px; overflow: hidden;
           background: #fff; margin: 0 0 10px; }
.mine { margin-left: auto; }
.mine img { width: 200px; } img { display: block; width: 400px; }
.text { padding: 8px 12px 10px; white-space: pre-line; }
.row { display: flex; gap: 4px; width: 400px; margin: 4px 0; }
.row span { flex: 1; text-align: center; padding: 8px 4px; border-radius: 8px; color: #fff;
            background: #45695a; }
"""


async def main() -> None:
    """Sends the photo and draws the chat."""
    photo = jpeg(sample_photo())
    with tempfile.TemporaryDirectory() as name, ModelServerProcess(Path(name)) as server:
        address = server.wait_until_serving().address
        async with (
            running_world() as world,
            running_bot(world, address, Path(name), deadline_s=60.0),
        ):
            await world.write(world.photo_message(photo))
            [sent] = await world.until("sendPhoto", timeout_s=60)
    PICTURE.write_bytes(smaller(await draw(photo, sent)))
    print(f"{PICTURE.name}: {PICTURE.stat().st_size // 1024} kB")  # noqa: T201


async def draw(photo: bytes, sent: Sent) -> bytes:
    """A PNG of the question and the answer, cut to what is there."""
    rows = ""
    for row in sent.keyboard:
        buttons = "".join(f"<span>{button['text']}</span>" for button in row)
        rows += f'<div class="row">{buttons}</div>'
    page_text = (
        f"<style>{STYLE}</style>"
        f'<div class="message mine">{image(photo)}</div>'
        # The bot sends Telegram's HTML: what stands here is what Telegram would draw.
        f'<div class="message">{image(sent.picture or b"")}'
        f'<div class="text">{sent.text}</div></div>'
        f"{rows}"
    )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = await browser.new_page(viewport=SIZE)
        await page.set_content(page_text)
        picture = await page.screenshot(full_page=True)
        await browser.close()
    return picture


def image(content: bytes) -> str:
    """The picture as an element that needs no file."""
    return f'<img src="data:image/jpeg;base64,{base64.b64encode(content).decode()}">'


if __name__ == "__main__":
    asyncio.run(main())
