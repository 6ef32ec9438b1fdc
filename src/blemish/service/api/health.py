"""Whether the station lives and serves, and its figures."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from blemish.service.api.answers import API
from blemish.service.api.depends import At
from blemish.service.api.shapes.health import Live, Ready

__all__ = ["router"]

router = APIRouter(tags=["health"], prefix=API)


@router.get("/live", response_model=Live)
async def live() -> dict[str, bool]:
    """The process answers."""
    return {"live": True}


@router.get(
    "/ready",
    response_model=Ready,
    responses={
        503: {"model": Ready, "description": "Something is not in order; `reasons` says what. The rest serves."}
    },
)
def ready(station: At) -> JSONResponse:
    """Whether all that is on line can be served; `reasons` names what cannot, and the rest serves on.

    `notes` says what an engineer should see to, though everything serves.
    """
    reasons = station.reasons()
    body: dict[str, Any] = {"ready": not reasons, "reasons": reasons, "notes": station.notes()}
    body["waiting"] = station.inspectors.waiting
    return JSONResponse(body, 503 if reasons else 200)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(station: At) -> Response:
    """Figures for Prometheus."""
    text = station.metrics.text(
        parts=station.inspectors.waiting,
        writes=station.store.writer.waiting,
        pictures=station.keeper.waiting,
        lost=station.keeper.lost,
    )
    return Response(text, media_type="text/plain; version=0.0.4")
