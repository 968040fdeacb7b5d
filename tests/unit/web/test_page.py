"""The page: languages, headers, documentation, operations."""

import asyncio
import logging
import re

import pytest

from bots.core.languages import LANGUAGES, texts_for
from bots.web.language import accepted_languages
from bots.web.pages import FOLDER, WEB_LOCALE_FOLDER, sample_photo
from bots.web.settings import WebSettings
from bots.web.texts import PAGE_TEXTS
from tests.support.web_world import running_web


@pytest.mark.parametrize("language", LANGUAGES)
async def test_languages(world, language):
    """Accept-Language decides; Arabic is written from right to left."""
    response = await world.http.get("/", headers={"Accept-Language": f"{language}, en;q=0.5"})
    direction = "rtl" if language == "ar" else "ltr"
    assert f'<html lang="{language}" dir="{direction}">' in response.text
    headline = texts_for(language, WEB_LOCALE_FOLDER)(PAGE_TEXTS["headline"])
    assert f'tabindex="-1">{headline}</h1>' in response.text


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_catalogues_are_complete(language):
    """Every text of the page has a translation with the same blanks to fill in."""
    texts = texts_for(language, WEB_LOCALE_FOLDER)
    same = set()
    for text in PAGE_TEXTS.values():
        translated = texts(text)
        blanks = re.findall(r"\{\w+\}", text)
        assert sorted(re.findall(r"\{\w+\}", translated)) == sorted(blanks)
        if translated == text:
            same.add(text)
    # Words that several languages share.
    assert same <= {"API", "Photo", "Live", "Portrait: {credit}"}


def test_every_text_is_used():
    """Template and scripts name all texts, and no others."""
    template = (FOLDER / "templates" / "index.html").read_text()
    used = set(re.findall(r"\bt\.(\w+)", template))
    for script in (FOLDER / "static" / "js").glob("*.js"):
        source = script.read_text()
        used |= set(re.findall(r"\b(?:text|named)\(\s*\"(\w+)\"", source))
    used |= {"first_photo", "second_photo", "formats", "no_voice"}
    used |= {key for key in PAGE_TEXTS if key.startswith("privacy_")}
    assert used == set(PAGE_TEXTS)


async def test_choosing_a_language(world):
    """The choice is remembered in the only cookie, and wins over the browser's."""
    chosen = await world.http.get("/?language=ru")
    assert chosen.status_code == 303
    assert chosen.headers["location"] == "/"
    (cookie,) = chosen.headers.get_list("set-cookie")
    assert cookie.startswith("language=ru;")
    assert "HttpOnly" in cookie
    page = await world.http.get("/", headers={"Accept-Language": "de"})
    assert '<html lang="ru"' in page.text


async def test_unknown_language_is_ignored(world):
    """No cookie is set for what is no language of ours."""
    response = await world.http.get("/?language=xx%0d%0aSet-Cookie:+a=b")
    assert response.status_code == 200
    assert "set-cookie" not in response.headers


def test_accept_language_order():
    """Weights count, zero means never, garbage is skipped."""
    assert accepted_languages("fr;q=0.2, de;q=x, hi, en;q=0") == ["hi", "fr"]


async def test_strict_policy(world):
    """Nothing inline, nothing from elsewhere; the page carries no inline script or style."""
    response = await world.http.get("/")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert " style=" not in response.text
    assert not re.search(r"\son\w+=", response.text)
    scripts = re.findall(r"<script([^>]*)>", response.text)
    assert all("src=" in script or "application/json" in script for script in scripts)


async def test_nothing_from_elsewhere(world):
    """Page, styles and scripts name no other server, but for links that people follow."""
    page = (await world.http.get("/")).text
    assert "http://" not in page
    assert "https://" not in page
    for path in (FOLDER / "static").rglob("*"):
        if path.suffix in {".css", ".js"}:
            hosts = set(re.findall(r"https?://[\w.]+", path.read_text()))
            assert hosts <= {"http://www.w3.org", "https://www.wikidata.org"}


async def test_static_files(world):
    """Scripts are scripts; what is not there is 404."""
    script = await world.http.get("/static/js/main.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert (await world.http.get("/static/js/none.js")).status_code == 404
    assert (await world.http.get("/static/../app.py")).status_code == 404


async def test_docs_are_served_from_here(world):
    """The documentation's page and all that it loads come from this server."""
    page = (await world.http.get("/docs")).text
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert address.startswith("/")
        assert (await world.http.get(address)).status_code == 200


async def test_sample(world):
    """The sample photo, where its package is installed."""
    photo = sample_photo()
    assert photo is not None
    response = await world.http.get("/sample")
    assert response.content == photo.read_bytes()


async def test_health(fake):
    """Alive means this process, ready means the model server, too."""
    async with running_web(fake) as world:
        assert (await world.http.get("/healthz")).json() == {"status": "ok"}
        assert (await world.http.get("/readyz")).json() == {"status": "ok"}
    async with running_web(fake, server="127.0.0.1:1", deadline_s=0.3) as world:
        assert (await world.http.get("/healthz")).status_code == 200
        away = await world.http.get("/readyz")
    assert away.status_code == 503
    assert away.headers["retry-after"] == "2"


async def test_metrics(world):
    """Requests are counted by route, so that ids and wrong paths add no series."""
    await world.http.get("/celebrities/star-1")
    await world.http.get("/celebrities/star-2")
    await world.http.get("/no/such/thing")
    text = (await world.http.get("/metrics")).text
    line = 'requests_total{method="GET",route="/celebrities/{celebrity}",status="200"} 2.0'
    assert line in text
    assert "/no/such" not in text


async def test_wrong_method_is_a_problem(world):
    """Errors of the framework are problems as well."""
    response = await world.http.get("/predict")
    assert response.status_code == 405
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["allow"] == "POST"


async def test_unexpected_error_tells_nothing(world, monkeypatch, caplog):
    """A bug becomes a plain 500: neither the answer nor the log quotes what was sent."""

    def bug(*_):
        raise ValueError("secret of the photo")

    monkeypatch.setattr("bots.web.services.WebServices.is_sensitive", bug)
    response = await world.http.post("/predict", **world.photo(b"x"))
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "content-security-policy" in response.headers
    assert "secret" not in response.text
    assert "unexpected ValueError at test_page.py" in caplog.text
    assert "secret" not in caplog.text


async def test_client_that_goes_away(world, caplog):
    """Somebody who closes the page in the middle of an upload is no error."""
    host, port = world.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x"
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    while 'route="/predict"' not in (await world.http.get("/metrics")).text:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_settings_are_documented():
    """Whoever adds a setting of the web bot tells users."""
    readme = (FOLDER.parents[1] / "README.md").read_text(encoding="utf-8")
    names = [name for name in WebSettings.model_fields if name.startswith("web_")]
    assert [name for name in names if f"`LOOKALIKE_{name.upper()}`" not in readme] == []
