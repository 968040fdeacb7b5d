"""The page itself, what it needs, and the API's documentation; nothing from elsewhere."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.staticfiles import StaticFiles

from bots.core.languages import LANGUAGES, Texts, texts_for
from bots.web.language import LANGUAGE_COOKIE, language_of
from bots.web.settings import WebSettings
from bots.web.texts import PAGE_TEXTS

__all__ = ["WEB_LOCALE_FOLDER", "mount_static", "router"]

FOLDER: Final = Path(__file__).parent
WEB_LOCALE_FOLDER: Final = FOLDER / "locale"
YEAR_S: Final = 365 * 24 * 3600

router = APIRouter(include_in_schema=False)
_templates = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=select_autoescape(["html", "svg"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@router.get("/")
async def page(request: Request, language: str | None = None) -> Response:
    """The page; with ``?language=es`` it remembers the choice in a cookie first."""
    if language is not None and language in LANGUAGES:
        response = RedirectResponse("/", 303)
        response.set_cookie(
            LANGUAGE_COOKIE,
            language,
            max_age=YEAR_S,
            samesite="lax",
            httponly=True,
            secure=request.url.scheme == "https",
        )
        return response
    settings: WebSettings = request.app.state.services.settings
    html = _templates.get_template("index.html").render(
        _page_values(texts_for(language_of(request), WEB_LOCALE_FOLDER), settings)
    )
    return HTMLResponse(
        html, headers={"Vary": "Accept-Language, Cookie", "Cache-Control": "no-cache"}
    )


@router.get("/sample")
async def sample() -> Response:
    """A photo to try: NASA's portrait of Eileen Collins, where scikit-image brought it."""
    photo = sample_photo()
    if photo is None:
        return Response(status_code=404)
    return FileResponse(photo, headers={"Cache-Control": "public, max-age=86400"})


@router.get("/favicon.ico")
async def favicon() -> Response:
    """For browsers that ask without reading the page."""
    return RedirectResponse("/static/logo.svg", 301)


@router.get("/docs")
async def docs() -> Response:
    """Swagger UI, served from here."""
    return HTMLResponse(_templates.get_template("docs.html").render())


def sample_photo() -> Path | None:
    """scikit-image's astronaut, if that package is installed; it is not imported."""
    spec = importlib.util.find_spec("skimage")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        photo = Path(folder) / "data" / "astronaut.png"
        if photo.is_file():
            return photo
    return None


def mount_static(app: FastAPI) -> None:
    """Serves the page's files, and Swagger UI's from the package that brings them."""
    app.mount("/static", _RevalidatedFiles(directory=FOLDER / "static"), name="static")
    spec = importlib.util.find_spec("fastapi_offline")
    if spec and spec.submodule_search_locations:
        folder = Path(spec.submodule_search_locations[0]) / "static"
        app.mount("/swagger", _RevalidatedFiles(directory=folder), name="swagger")


class _RevalidatedFiles(StaticFiles):
    """Files that browsers keep, but ask about each time: a new version shows at once."""

    def file_response(self, *args: object, **keywords: object) -> Response:
        response = super().file_response(*args, **keywords)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response


def _page_values(texts: Texts, settings: WebSettings) -> dict[str, object]:
    translated = {key: texts(text) for key, text in PAGE_TEXTS.items()}
    megabytes = settings.web_max_photo_bytes // 2**20
    sample_url = "/sample" if sample_photo() else None
    return {
        "t": SimpleNamespace(**translated),  # a dict has a "copy" of its own
        "language": texts.language,
        "direction": "rtl" if texts.right_to_left else "ltr",
        "languages": list(LANGUAGES.items()),
        "formats": translated["formats"].format(megabytes=texts.number(megabytes)),
        "privacy": _privacy(translated, settings.privacy_contact),
        "sample_url": sample_url,
        "page_settings": {
            "texts": translated,
            "language": texts.language,
            "maxBytes": settings.web_max_photo_bytes,
            "sampleUrl": sample_url,
        },
    }


def _privacy(translated: dict[str, str], contact: str) -> list[str]:
    paragraphs = [translated[f"privacy_{part}"] for part in ("photo", "files", "card", "elsewhere")]
    paragraphs.append(translated["privacy_cookie"])
    if contact:
        paragraphs.append(translated["privacy_contact"].format(contact=contact))
    return paragraphs
