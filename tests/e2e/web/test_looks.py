"""Languages, themes, small screens, and what screen readers are told."""

import pytest

from tests.e2e.web.test_page import answer_of, hand_over

# One Chromium serves all tests: they share its event loop.
pytestmark = pytest.mark.asyncio(loop_scope="session")

LUMINANCE = """
(selector) => {
  const parse = (value) => value.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => {
      v /= 255;
      return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const shown = (color) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 1;
    const context = canvas.getContext("2d");
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const ground = (element) => shown(getComputedStyle(element).backgroundColor);
  const visible = [...document.querySelectorAll(selector)].filter((e) => e.checkVisibility());
  return visible.map((element) => {
    let behind = element;
    while (behind && ground(behind)[3] < 255) behind = behind.parentElement;
    const back = light(ground(behind ?? document.documentElement));
    const front = light(shown(getComputedStyle(element).color));
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    return [element.className || element.tagName, Math.round(ratio * 100) / 100];
  });
}
"""
TEXTS = (
    "h1, h2, h3, p, .button, .chips li, .match-name, .match-likeness, summary, a, .credit, .score b"
)


async def check_contrast(page):
    for name, ratio in await page.evaluate(LUMINANCE, TEXTS):
        assert ratio >= 4.5, (name, ratio)


async def test_dark(open_page):
    """Dark follows the system; the button turns it; both have contrast enough (WCAG AA)."""
    background = "getComputedStyle(document.documentElement).backgroundColor"
    async with open_page(color_scheme="dark", reduced_motion="reduce") as page:
        await hand_over(page, "drop")
        await answer_of(page)
        await check_contrast(page)
        dark = await page.evaluate(background)
        await page.click("#theme")
        light = await page.evaluate(background)
        assert dark != light
        await page.wait_for_timeout(300)  # colours fade over 150 ms
        await check_contrast(page)
        await page.reload()
        await page.wait_for_selector("html[data-ready]")
        assert await page.evaluate(background) == light


async def test_arabic_runs_from_right_to_left(open_page):
    """The page is mirrored, names and the English caption keep their direction."""
    async with open_page(locale="ar") as page:
        assert await page.evaluate("document.dir") == "rtl"
        brand = await page.locator(".brand").bounding_box()
        tools = await page.locator(".site-tools").bounding_box()
        assert brand["x"] > tools["x"]
        await hand_over(page, "drop")
        answer = await answer_of(page)
        assert await answer.locator(".caption").get_attribute("dir") == "ltr"
        photo = await answer.locator(".photo-panel").bounding_box()
        match = await answer.locator(".match-panel").bounding_box()
        assert photo["x"] > match["x"]


async def test_language_selector(open_page):
    """Choosing a language changes the page at once and is remembered."""
    async with open_page() as page:
        async with page.expect_navigation():
            await page.select_option("#language", "de")
        await page.wait_for_selector("html[lang=de][data-ready]")
        assert await page.locator("h1").first.inner_text() == "Wem siehst du ähnlich?"
        await page.reload()
        assert await page.evaluate("document.documentElement.lang") == "de"


async def test_phone(open_page):
    """On a phone nothing sticks out, and fingers hit the buttons."""
    size = {"width": 360, "height": 740}
    async with open_page(viewport=size, has_touch=True, is_mobile=True) as page:
        wide = "document.documentElement.scrollWidth"
        for view in ("photo", "live", "compare", "celebrities"):
            await page.evaluate(f"location.hash = '{view}'")
            await page.wait_for_selector(f"#view-{view}:not([hidden])")
            assert await page.evaluate(wide) <= 360, view
        await page.evaluate("location.hash = 'photo'")
        await page.wait_for_selector("#view-photo:not([hidden])")
        await hand_over(page, "drop")
        await answer_of(page)
        assert await page.evaluate(wide) <= 360
        for button in await page.locator("button:visible:not(.face-box), .button:visible").all():
            box = await button.bounding_box()
            assert box["height"] >= 40, await button.inner_text()


async def test_screen_readers(open_page):
    """Everything has a name; progress and errors are announced."""
    async with open_page() as page:
        await hand_over(page, "drop")
        await answer_of(page)
        for button in await page.get_by_role("button").all():
            label = await button.get_attribute("aria-label") or await button.inner_text()
            assert label.strip()
        for image in await page.locator("img").all():
            assert await image.get_attribute("alt") is not None
        for field in await page.locator("input:visible, select:visible").all():
            assert await field.evaluate(
                "(e) => e.labels.length > 0 && e.labels[0].innerText !== ''"
            )
        assert await page.locator("#photo-status").get_attribute("role") == "status"
        likeness = await page.locator("h2.names .visually-hidden").inner_text()
        assert "Likeness 90 of 100" in likeness
        headings = await page.locator("h1:visible").count()
        assert headings <= 1


async def test_docs(open_page, world, browser):
    """The documentation draws itself under the policy, with nothing from elsewhere."""
    context = await browser.new_context()
    page = await context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    await page.goto(world.url + "/docs")
    await page.get_by_text("/predict").first.wait_for(timeout=15_000)
    await context.close()
    assert complaints == []
