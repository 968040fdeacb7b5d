"""Live mode with Chromium's fake camera."""

import contextlib
import io

import pytest
from PIL import Image
from playwright.async_api import expect

from tests.support.fake_server import running_server
from tests.support.web_world import running_web

# One Chromium serves all tests: they share its event loop.
pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_live(open_page, world):
    """Frames go out, boxes and the look-alike come back; Stop lets go of the camera."""
    async with open_page("/#live") as page:
        await page.click("#live-start")
        await page.locator(".live-box").first.wait_for()
        await page.locator("#live-match .names").wait_for()
        assert "Star 1" in await page.locator("#live-match").inner_text()
        await expect(page.locator("#live-rate")).not_to_be_empty()
        await page.click("#live-stop")
        assert await page.locator(".live-box").count() == 0
        assert await page.evaluate("document.getElementById('live-video').srcObject") is None
    frames = [call[1] for call in world.fake.calls if call[0] == "AnalyzePhotoStream"]
    frame = Image.open(io.BytesIO(frames[0].request.photo))
    assert frame.format == "JPEG"
    assert max(frame.size) <= 640


async def test_leaving_the_view_lets_go_of_the_camera(open_page):
    """Nobody is filmed behind another view."""
    async with open_page("/#live") as page:
        await page.click("#live-start")
        await page.locator(".live-box").first.wait_for()
        await page.click(".views a[href='#compare']")
        await page.wait_for_selector("#view-live", state="hidden")
        assert await page.evaluate("document.getElementById('live-video').srcObject") is None


async def test_picture_of_the_live_view(open_page, world):
    """A moment of the live view can be looked at in full."""
    async with open_page("/#live") as page:
        await page.click("#live-start")
        await page.locator(".live-box").first.wait_for()
        await page.click("#live-use")
        await page.wait_for_selector("#answer:not([hidden])")
    assert world.fake.count("AnalyzePhoto") == 1


async def test_server_away_and_back(open_page, browser):
    """While the model server is away the page says so; when it is back the view goes on."""
    async with contextlib.AsyncExitStack() as stack:
        server = contextlib.AsyncExitStack()
        first = await server.enter_async_context(running_server())
        port = int(first.address.rpartition(":")[2])
        world = await stack.enter_async_context(running_web(first))
        page = await stack.enter_async_context(open_page("/#live", url=world.url))
        await page.click("#live-start")
        await page.locator(".live-box").first.wait_for()
        await server.aclose()
        await page.locator("#live-error p").wait_for()
        await stack.enter_async_context(running_server(port=port))
        await page.locator("#live-error p").wait_for(state="detached", timeout=20_000)
        await page.locator(".live-box").first.wait_for()
