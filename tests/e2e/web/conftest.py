"""The page in a real headless Chromium, before the fake model server."""

import importlib.util
import shutil
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from tests.support.fake_server import running_server
from tests.support.web_world import running_web

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and CHROMIUM is None:
            item.add_marker(pytest.mark.skip(reason="Chromium is not installed"))


@pytest.fixture(scope="module")
def astronaut():
    """scikit-image's sample photo: NASA's portrait of Eileen Collins."""
    (folder,) = importlib.util.find_spec("skimage").submodule_search_locations
    return Path(folder) / "data" / "astronaut.png"


@pytest_asyncio.fixture(loop_scope="session")
async def fake():
    async with running_server() as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def world(fake):
    async with running_web(fake, photos_per_minute=600) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser():
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        await chromium.close()


@pytest.fixture
def open_page(browser, world):
    """Opens the page; at the end nothing may have gone wrong in it."""

    @asynccontextmanager
    async def opened(path="/", url=None, **options):
        context = await browser.new_context(**{"locale": "en-US", **options})
        page = await context.new_page()
        page.set_default_timeout(15_000)
        complaints = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                complaints.append(message.text)
                if message.type == "error" and "Failed to load resource" not in message.text
                else None
            ),
        )
        foreign = []
        home = url or world.url
        page.on(
            "request",
            lambda request: (
                foreign.append(request.url)
                if not request.url.startswith((home, home.replace("http", "ws"), "data:", "blob:"))
                else None
            ),
        )
        await page.goto(home + path)
        await page.wait_for_selector("html[data-ready]")
        try:
            yield page
            # Content-Security-Policy violations and script errors are such complaints.
            assert complaints == []
            assert foreign == []
        finally:
            await context.close()

    return opened
