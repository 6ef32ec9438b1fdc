"""Whether the station lives and serves, its figures, and the pages of problems."""

from html import escape
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, JSONResponse

from blemish.service.api.answers import API
from blemish.service.api.depends import At, documented
from blemish.service.api.shapes.health import Live, Ready
from blemish.service.problems import KINDS, Problem

__all__ = ["pages", "router"]

router = APIRouter(tags=["health"], prefix=API)
pages = APIRouter(tags=["health"])


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


@pages.get("/errors/{name}", response_class=HTMLResponse, responses=documented("not-found"))
async def error_page(name: str) -> HTMLResponse:
    """What a problem means and what to do."""
    kind = KINDS.get(name)
    if kind is None:
        raise Problem("not-found", f"There is no problem of the name {name!r}.")
    remedy = escape(kind.remedy).replace("`", "")
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(kind.title)}</title>'
        f"<h1>{escape(kind.title)}</h1><p>{remedy}</p><p>Type <code>{escape(name)}</code>, status {kind.status}.</p>"
    )
