"""Takes the pictures of the page for the README: ``python -m tests.e2e.web.screenshots``.

Everything is real: the model server with its models, the web bot, Chromium. The photo is
scikit-image's astronaut; portraits are cards drawn by the server.
"""

import asyncio
import importlib.util
import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.async_api import async_playwright

from tests.support.fake_server import FakeServer
from tests.support.model_server import ModelServerProcess
from tests.support.web_world import running_web

IMAGES = Path(__file__).resolve().parents[3] / "docs" / "images"
DESKTOP = {"viewport": {"width": 1280, "height": 860}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
SHOTS = {
    "web.png": {**DESKTOP, "color_scheme": "light"},
    "web-dark.png": {**DESKTOP, "color_scheme": "dark"},
    "web-phone.png": {**PHONE, "color_scheme": "light"},
}


async def main():
    (folder,) = importlib.util.find_spec("skimage").submodule_search_locations
    photo = Path(folder) / "data" / "astronaut.png"
    server = FakeServer()  # stands in: only its address is used
    with tempfile.TemporaryDirectory() as data, ModelServerProcess(Path(data)) as real:
        real.wait_until_serving()
        server.address = real.address
        async with running_web(server, deadline_s=60) as world, async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            for name, options in SHOTS.items():
                context = await browser.new_context(
                    locale="en-US", reduced_motion="reduce", **options
                )
                page = await context.new_page()
                await page.goto(world.url)
                await page.wait_for_selector("html[data-ready]")
                await page.set_input_files("#file", photo)
                await page.wait_for_selector("#answer:not([hidden])")
                await page.wait_for_load_state("networkidle")
                shot = Image.open(io.BytesIO(await page.screenshot(full_page=True)))
                # A palette makes the file a third of its size.
                small = shot.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
                small.save(IMAGES / name, optimize=True)
                await context.close()
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
