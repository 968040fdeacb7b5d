"""Puts the web bot together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from bots.core.client import LookalikeClient
from bots.web import celebrities, live, operations, pages, photos, predict, speech
from bots.web.middleware import LastResortMiddleware, MetricsMiddleware, SecurityHeadersMiddleware
from bots.web.problems import install_problem_handlers
from bots.web.services import WebServices
from bots.web.settings import WebSettings

__all__ = ["create_app"]

DESCRIPTION = """\
What is on a photo, and whom do the faces resemble? Nothing of a photo is kept.

Every error is `application/problem+json` (RFC 9457) with a `reason` for programs; 429 and
503 carry `Retry-After`.
"""


def create_app(
    settings: WebSettings | None = None,
    make_client: Callable[[WebSettings], LookalikeClient] = LookalikeClient.from_settings,
) -> FastAPI:
    """The ASGI application.

    Args:
        settings: Read from the environment where not given.
        make_client: Makes the model server's client, where the loop runs.
    """
    settings = settings or WebSettings.load()
    services = WebServices(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        services.connect(make_client(settings))
        yield
        await services.close()

    app = FastAPI(
        title="Lookalike",
        version=version("lookalike"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.services = services
    install_problem_handlers(app)
    app.add_middleware(LastResortMiddleware)
    app.add_middleware(MetricsMiddleware, metrics=services.metrics)
    app.add_middleware(SecurityHeadersMiddleware)
    for part in (pages, predict, photos, speech, celebrities, live, operations):
        app.include_router(part.router)
    pages.mount_static(app)
    return app
