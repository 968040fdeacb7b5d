"""Giving a photo in every way, and what the page makes of the answer."""

import asyncio
import base64
import io

import grpc
import pytest
from PIL import Image
from playwright.async_api import expect

from tests.support.fake_server import Failure, analysis, face, picture
from tests.support.web_world import running_web

# One Chromium serves all tests: they share its event loop.
pytestmark = pytest.mark.asyncio(loop_scope="session")

# Puts a file where the browser would put one that is dropped or pasted.
HAND_OVER = """
([kind, data, type]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], "photo", { type }));
  const options = { bubbles: true, cancelable: true };
  if (kind === "paste") {
    const clipboard = { ...options, clipboardData: transfer };
    document.body.dispatchEvent(new ClipboardEvent("paste", clipboard));
  } else {
    for (const name of ["dragenter", "dragover", "drop"]) {
      document.body.dispatchEvent(new DragEvent(name, { ...options, dataTransfer: transfer }));
    }
  }
}
"""


async def hand_over(page, kind, content=None, mime_type="image/jpeg"):
    data = base64.b64encode(content or picture(size=(640, 480))).decode()
    await page.evaluate(HAND_OVER, [kind, data, mime_type])


async def answer_of(page):
    await page.wait_for_selector("#answer:not([hidden])")
    return page.locator("#answer")


async def test_choose(open_page, astronaut):
    """A chosen photo is answered: caption, face, traits, look-alikes, credit."""
    async with open_page() as page:
        await page.set_input_files("#file", astronaut)
        answer = await answer_of(page)
        assert await answer.locator(".caption").text_content() == "a person smiles"
        heading = await answer.locator("h2.names").inner_text()
        assert " ".join(heading.split()[:6]) == "This face looks like Star 1"
        assert await answer.locator(".chips li").all_text_contents() == [
            "oval face",
            "wavy brown hair",
        ]
        assert await answer.locator(".match-name").all_inner_texts() == [
            "Star 1",
            "Star 2",
            "Star 3",
        ]
        await expect(answer.locator(".credit")).not_to_be_empty()
        assert "A. Painter, CC BY-SA 4.0" in await answer.locator(".credit").inner_text()
        # Every picture of the answer has really loaded.
        sizes = await answer.locator("img").evaluate_all("all => all.map((i) => i.naturalWidth)")
        assert all(sizes)


@pytest.mark.parametrize("kind", ["drop", "paste"])
async def test_drop_and_paste(open_page, world, kind):
    """A photo dropped anywhere or pasted is the one that the server gets."""
    async with open_page() as page:
        await hand_over(page, kind, picture("purple"))
        await answer_of(page)
    asked = next(call[1] for call in world.fake.calls if call[0] == "AnalyzePhoto")
    assert asked.photo == picture("purple")


async def test_camera(open_page, world):
    """A photo taken with the camera is a JPEG of what it saw; the camera is let go."""
    async with open_page() as page:
        await page.click("#take")
        await page.wait_for_selector("#snap:enabled")
        await page.click("#snap")
        await answer_of(page)
        assert await page.evaluate("document.getElementById('camera-video').srcObject") is None
    asked = next(call[1] for call in world.fake.calls if call[0] == "AnalyzePhoto")
    assert Image.open(io.BytesIO(asked.photo)).format == "JPEG"


async def test_sample(open_page, world, astronaut):
    """Who has no photo at hand can try one."""
    async with open_page() as page:
        await page.click("#sample")
        await answer_of(page)
    asked = next(call[1] for call in world.fake.calls if call[0] == "AnalyzePhoto")
    assert asked.photo == astronaut.read_bytes()


async def test_keyboard_only(open_page, astronaut):
    """Everything can be reached and pressed without a mouse, and focus is never lost."""
    async with open_page() as page:
        # From here on: Playwright takes a moment to catch choosers, and Enter would be quicker.
        chosen = asyncio.get_running_loop().create_future()
        page.on("filechooser", lambda chooser: chosen.set_result(chooser))  # noqa: PLW0108 - not a builtin
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.className") == "skip-link"
        for _ in range(30):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.id") == "file":
                break
        await page.keyboard.press("Enter")
        await (await asyncio.wait_for(chosen, 15)).set_files(astronaut)
        await answer_of(page)
        focused = "document.activeElement"
        assert "names" in await page.evaluate(f"{focused}.className")
        seen = set()
        for _ in range(12):
            await page.keyboard.press("Tab")
            seen.add(await page.evaluate(f"{focused}.className"))
            if "more-matches" in await page.evaluate(f"{focused}.className"):
                break
        assert any("share" in name for name in seen)
        await page.keyboard.press("Enter")
        assert await page.locator(".match").count() == 10
        assert await page.evaluate(f"{focused}.dataset.match") == "3"
        await page.keyboard.press("Space")
        assert "Star 4" in await page.locator("h2.names").inner_text()
        assert await page.evaluate(f"{focused}.dataset.match") == "3"


async def test_other_lookalikes_and_faces(open_page, world):
    """Choosing a look-alike shows it; another face shows that face's."""
    world.fake.script = lambda _: analysis(face(x=5), face(x=300, first=11))
    async with open_page() as page:
        await hand_over(page, "drop")
        await answer_of(page)
        await page.click("[data-match='1']")
        assert "Star 2" in await page.locator("h2.names").inner_text()
        assert await page.locator("[data-match='1']").get_attribute("aria-pressed") == "true"
        await page.click(".another-face")
        assert "Star 11" in await page.locator("h2.names").inner_text()
        await page.locator(".face-box").first.click()
        assert "Star 1" in await page.locator("h2.names").inner_text()


async def test_a_crowd(open_page, world):
    """Faces beyond those that an answer shows are counted, in words."""
    world.fake.script = lambda _: analysis(*(face(x=50 * n) for n in range(8)))
    async with open_page() as page:
        await hand_over(page, "drop")
        answer = await answer_of(page)
        assert await answer.locator(".face-box").count() == 6
        note = await answer.locator(".hidden-faces").inner_text()
        assert note == "There are 2 more faces in the picture."


async def test_details(open_page):
    """How the score is made can be unfolded."""
    async with open_page() as page:
        await hand_over(page, "drop")
        await answer_of(page)
        await page.click(".details summary")
        rows = await page.locator(".details dl div").all_inner_texts()
        assert any("0.9" in row for row in rows)
        assert any("45%" in row for row in rows)
        assert any("120 ms" in row for row in rows)


async def test_card_to_share(open_page):
    """The card opens, can be downloaded as a JPEG, and closes with Escape."""
    async with open_page() as page:
        await hand_over(page, "drop")
        await answer_of(page)
        await page.click(".share")
        await page.wait_for_selector("#card-image:not([hidden])")
        assert "Star 1" in await page.locator("#card-image").get_attribute("alt")
        async with page.expect_download() as download:
            await page.click("#card-download")
        path = await (await download.value).path()
        with Image.open(path) as card:
            assert card.width == 960
        await page.keyboard.press("Escape")
        assert not await page.locator("#card-dialog").is_visible()


async def test_hear_it(open_page):
    """The answer is spoken in an audio element that plays."""
    async with open_page() as page:
        await hand_over(page, "drop")
        await answer_of(page)
        await page.click(".hear")
        audio = page.locator("audio")
        await expect(audio).to_have_js_property("readyState", 4)  # all of it can be played
        assert await audio.evaluate("(a) => a.duration") > 1
        assert await page.evaluate("document.querySelector('audio').error") is None


async def test_delete(open_page):
    """Delete leaves nothing of the photo in the page, and says so."""
    async with open_page() as page:
        await hand_over(page, "drop")
        await answer_of(page)
        await page.click(".delete")
        assert await page.locator("#answer").is_hidden()
        assert await page.locator("#answer").inner_html() == ""
        assert "Deleted" in await page.locator("#photo-status").inner_text()
        assert await page.locator("#dropzone").is_visible()


async def test_no_face(open_page, world):
    """No face: the caption, and what would help."""
    world.fake.script = lambda _: analysis(caption="a dog runs")
    async with open_page() as page:
        await hand_over(page, "drop")
        answer = await answer_of(page)
        text = await answer.inner_text()
        assert "No face found" in text
        assert "It helps when" in text
        assert "a dog runs" in text.lower()


async def test_sensitive_photo_is_veiled(open_page, world):
    """Such a photo is shown only to who wants to see it."""
    world.fake.script = lambda _: analysis(face(), nsfw_score=0.97)
    async with open_page() as page:
        await hand_over(page, "drop")
        await answer_of(page)
        assert await page.locator(".photo-frame.veiled").count() == 1
        await page.click(".veil button")
        assert await page.locator(".photo-frame.veiled").count() == 0


async def test_error_and_again(open_page, world):
    """An error is said in an alert; where trying again helps there is a button for it."""
    unreadable = Failure(grpc.StatusCode.INVALID_ARGUMENT, "UNSUPPORTED_FORMAT")
    async with open_page() as page:
        world.fake.failures = [unreadable]
        await hand_over(page, "drop")
        alert = page.locator("#photo-error")
        await alert.locator("p").wait_for()
        assert "JPEG" in await alert.inner_text()
        assert await alert.get_attribute("role") == "alert"
        assert await alert.locator("button").count() == 0


async def test_overload_and_again(browser, fake, open_page):
    """When the server is too busy the page says when to come back, and does."""
    async with running_web(fake, deadline_s=0.5) as world:
        fake.failures = [Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "full", 9)]
        async with open_page(url=world.url) as page:
            await hand_over(page, "drop")
            alert = page.locator("#photo-error")
            await alert.locator("p").wait_for()
            assert "9 s" in await alert.inner_text()
            await alert.locator("button").click()
            await answer_of(page)
            assert await alert.inner_text() == ""


@pytest.mark.parametrize("status", [None, 408])
async def test_a_broken_connection_and_again(open_page, status):
    """Where the photo did not get through, it need not be chosen once more."""
    detail = {"detail": "too slow", "reason": "UPLOAD_TOO_SLOW"}
    async with open_page() as page:

        async def break_off(route):
            await (route.fulfill(status=status, json=detail) if status else route.abort())

        await page.route("**/api/photos", break_off, times=1)
        await hand_over(page, "drop")
        alert = page.locator("#photo-error")
        await alert.locator("p").wait_for()
        assert ("too slow" if status else "no connection") in await alert.inner_text()
        await alert.locator("button").click()
        await answer_of(page)
        assert await alert.inner_text() == ""


async def test_what_is_no_photo_stays_here(open_page, fake):
    """A text, and a file over the limit, are refused before they are sent."""
    async with (
        running_web(fake, web_max_photo_bytes=2**20) as world,
        open_page(url=world.url) as page,
    ):
        await hand_over(page, "drop", b"hello", "text/plain")
        await page.locator("#photo-error p").wait_for()
        assert "no picture" in await page.locator("#photo-error").inner_text()
        await hand_over(page, "drop", b"0" * (2**20 + 1))
        await page.get_by_text("too large: 1 MB").wait_for()
    assert fake.calls == []


async def test_compare(open_page, astronaut):
    """Two photos: how alike, in a number and in words."""
    async with open_page("/#compare") as page:
        await page.set_input_files("#first-file", astronaut)
        assert await page.locator("#compare-now").is_disabled()
        await page.set_input_files("#second-file", astronaut)
        await page.click("#compare-now")
        await page.wait_for_selector("#compare-answer:not([hidden])")
        text = await page.locator("#compare-answer").inner_text()
        assert "Likeness 64 of 100" in text
        assert "32%" in text


async def test_celebrity_search(open_page):
    """The gallery can be searched by name, and a person opened."""
    async with open_page("/#celebrities") as page:
        await page.wait_for_selector(".person")
        assert await page.locator(".person").count() == 24
        await page.click("#more-people")
        await page.locator(".person").nth(29).wait_for()
        await page.fill("#search", "star 30")
        await page.get_by_text("1 found").wait_for()
        await page.click(".person")
        dialog = page.locator("#person-dialog")
        assert await dialog.locator("h2").inner_text() == "Star 30"
        assert await dialog.get_by_role("link", name="Wikidata").get_attribute("href") == (
            "https://www.wikidata.org/wiki/Q30"
        )
