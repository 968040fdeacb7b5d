"""For whoever runs the bot: is it alive, is it ready, what has it done?"""

from __future__ import annotations

from fastapi import APIRouter, Response

from bots.web.problems import Problem
from bots.web.services import ServicesNow

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """That this process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def ready(services: ServicesNow) -> dict[str, str]:
    """That the model server answers, too, with its models loaded."""
    if not await services.client.is_serving():
        raise Problem(503, "NOT_READY", "The model server does not answer.", retry_after_s=2.0)
    return {"status": "ok"}


@router.get("/metrics")
async def metrics(services: ServicesNow) -> Response:
    """Prometheus' text format."""
    return Response(services.metrics.text(), media_type="text/plain; version=0.0.4")
