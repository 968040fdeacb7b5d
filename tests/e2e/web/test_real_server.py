"""The whole way: a photo in Chromium, the web bot, a real model server with real models."""

import io

import httpx
import pytest
from PIL import Image
from playwright.async_api import expect

from tests.support.fake_server import FakeServer
from tests.support.web_world import running_web

# One Chromium serves all tests: they share its event loop.
pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def real(model_server):
    """Stands in for the fake: only its address is used."""
    stand_in = FakeServer()
    stand_in.address = model_server.address
    return stand_in


async def test_astronaut(real, open_page, astronaut):
    """The astronaut's photo has a caption, one face with traits, look-alikes and a card."""
    async with running_web(real, deadline_s=30) as world, open_page(url=world.url) as page:
        await page.set_input_files("#file", astronaut)
        await page.wait_for_selector("#answer:not([hidden])")
        assert len((await page.locator(".caption").text_content()).split()) >= 3
        assert await page.locator(".face-box").count() == 1
        assert await page.locator(".chips li").count() >= 2
        await page.click(".more-matches")
        scores = await page.locator(".match-likeness").all_inner_texts()
        assert len(scores) == 10
        values = [int(score) for score in scores]
        assert values == sorted(values, reverse=True)
        face = await page.locator(".face-box").bounding_box()
        photo = await page.locator(".photo").bounding_box()
        middle = (face["x"] + face["width"] / 2 - photo["x"]) / photo["width"]
        height = (face["y"] + face["height"] / 2 - photo["y"]) / photo["height"]
        # Where the face is on that photo, of 512 pixels a side: around (222, 116).
        assert abs(middle - 0.43) < 0.06
        assert abs(height - 0.23) < 0.06
        await page.click(".share")
        await page.wait_for_selector("#card-image:not([hidden])")
        loaded = "document.getElementById('card-image').naturalWidth"
        assert await page.evaluate(loaded) == 960


async def test_predict(real, astronaut):
    """The REST answer is whole, and its portrait can be opened."""
    async with running_web(real, deadline_s=30) as world:
        upload = {"file": ("astronaut.png", astronaut.read_bytes(), "image/png")}
        answer = (await world.http.post("/predict", files=upload)).json()
        async with httpx.AsyncClient() as stranger:
            portrait = await stranger.get(answer["actor_image_url"])
    assert set(answer) == {
        "caption",
        "matched_celebrity",
        "similarity_score",
        "actor_image_url",
    }
    assert answer["matched_celebrity"]
    assert -1 <= answer["similarity_score"] <= 1
    with Image.open(io.BytesIO(portrait.content)) as picture:
        assert picture.width >= 100


async def test_live_view(real, open_page):
    """The fake camera's picture shows no face, and the view goes on looking for one."""
    async with (
        running_web(real, deadline_s=30) as world,
        open_page("/#live", url=world.url) as page,
    ):
        await page.click("#live-start")
        await expect(page.locator("#live-rate")).not_to_be_empty()
        assert await page.locator("#live-caption").inner_text() != ""
        assert await page.locator(".live-box").count() == 0
        assert await page.locator("#live-error p").count() == 0


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"", 400, "EMPTY_PHOTO"),
        (b"just a text", 415, "UNSUPPORTED_FORMAT"),
        (b"%PDF-1.7 nothing", 415, "UNSUPPORTED_FORMAT"),
    ],
)
async def test_bad_files(real, content, status, reason):
    """What is no photo has the status that says so."""
    async with running_web(real, deadline_s=30) as world:
        response = await world.http.post("/predict", **world.photo(content))
    assert (response.status_code, response.json()["reason"]) == (status, reason)


async def test_truncated_photo(real, astronaut):
    """Half a photo cannot be used: 422."""
    half = astronaut.read_bytes()[:100_000]
    async with running_web(real, deadline_s=30) as world:
        response = await world.http.post("/predict", **world.photo(half))
    assert (response.status_code, response.json()["reason"]) == (422, "CORRUPT_PHOTO")
