"""KServe's open inference protocol, version 2, beside our own: what speaks it needs no client of ours."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic.json_schema import models_json_schema

from blemish.service.api.depends import At, Who, documented
from blemish.service.api.inspections import served, verdict
from blemish.service.api.shapes.health import Live
from blemish.service.api.shapes.kserve import Inferred, ModelOut, ModelReady, ServerOut, ServerReady
from blemish.service.api.tensors import Infer, answer_pieces, read_infer
from blemish.service.people.access import Caller
from blemish.service.problems import Problem
from blemish.service.station import Station
from blemish.service.store.recipes import find_recipe
from blemish.service.store.versions import find_version, list_versions
from blemish.service.work.part import SOON, Part, Ticket

__all__ = ["SCHEMAS", "router"]

router = APIRouter(tags=["kserve"], prefix="/v2")
INPUTS = [
    {"name": "image", "datatype": "BYTES", "shape": [1]},
    {"name": "image", "datatype": "UINT8", "shape": [-1, -1, 3]},
]
OUTPUTS = [
    {"name": "score", "datatype": "FP32", "shape": [1]},
    {"name": "verdict", "datatype": "BYTES", "shape": [1]},
    {"name": "anomaly_map", "datatype": "FP32", "shape": [-1, -1]},
]


_INFER = documented("unknown-recipe", "unknown-id", "not-on-line", "busy", "not-ready")
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Infer"}}},
    }
}
SCHEMAS: dict[str, Any] = models_json_schema([(Infer, "validation")], ref_template="#/components/schemas/{model}")[1][
    "$defs"
]
"""Of the body, which is read by hand (tensors.py)."""


@router.get("", response_model=ServerOut)
async def server() -> dict[str, Any]:
    """What this server is."""
    return {"name": "blemish", "version": "1", "extensions": []}


@router.get("/health/live", response_model=Live)
async def live() -> dict[str, bool]:
    """The process answers."""
    return {"live": True}


@router.get("/health/ready", response_model=ServerReady, responses=documented("not-ready"))
def ready(station: At) -> dict[str, bool]:
    """Whether all that is on line can be served."""
    if reasons := station.reasons():
        raise Problem("not-ready", " ".join(reasons))
    return {"ready": True}


@router.get("/models/{recipe}", response_model=ModelOut, responses=documented("unknown-recipe"))
def model(recipe: str, station: At) -> dict[str, Any]:
    """A recipe as a model."""
    found = find_recipe(station.store.read, recipe)
    numbers = [str(version.number) for version in list_versions(station.store.read, found.id)]
    return {"name": found.name, "versions": numbers, "platform": "blemish", "inputs": INPUTS, "outputs": OUTPUTS}


@router.get(
    "/models/{recipe}/ready",
    response_model=ModelReady,
    responses=documented("unknown-recipe", "not-on-line", "not-ready"),
)
def model_ready(recipe: str, station: At) -> dict[str, bool]:
    """Whether a recipe is on line; it is loaded by this."""
    station.registry.take(recipe)
    return {"ready": True}


@router.get(
    "/models/{recipe}/versions/{version}", response_model=ModelOut, responses=documented("unknown-recipe", "unknown-id")
)
def version(recipe: str, version: str, station: At) -> dict[str, Any]:
    """A version as a model."""
    found = find_version(station.store.read, find_recipe(station.store.read, recipe), version)
    return model(recipe, station) | {"versions": [str(found.number)]}


@router.get(
    "/models/{recipe}/versions/{version}/ready",
    response_model=ModelReady,
    responses=documented("unknown-recipe", "unknown-id", "not-on-line", "not-ready"),
)
def version_ready(recipe: str, version: str, station: At) -> dict[str, bool]:
    """Whether a version can judge."""
    station.registry.version_named(recipe, version)
    return {"ready": True}


@router.post("/models/{recipe}/infer", response_model=Inferred, responses=_INFER, openapi_extra=_BODY)
async def infer(
    recipe: str, request: Request, station: At, who: Who, serial: Annotated[str | None, Query(max_length=200)] = None
) -> Response:
    """Judge one picture by the version on line; it is recorded as every part."""
    return await _infer(station, who, recipe, None, request, serial)


@router.post(
    "/models/{recipe}/versions/{version}/infer", response_model=Inferred, responses=_INFER, openapi_extra=_BODY
)
async def infer_version(
    recipe: str,
    version: str,
    request: Request,
    station: At,
    who: Who,
    serial: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Judge one picture by the version that is named."""
    return await _infer(station, who, recipe, version, request, serial)


async def _infer(
    station: Station, who: Caller, recipe: str, version: str | None, request: Request, serial: str | None
) -> Response:
    asked, data = await asyncio.to_thread(read_infer, await request.body())
    judging = await served(station, recipe, version)
    part = Part(judging, data, Ticket("picture", "v2", who.name, serial), SOON)
    row, recorded = await verdict(station, part)
    values: dict[str, dict[str, Any]] = {
        "verdict": {"datatype": "BYTES", "shape": [1], "data": [row.verdict]},
    }
    if row.score is not None:
        values["score"] = {"datatype": "FP32", "shape": [1], "data": [row.score]}
    map_HW = part.result.anomaly_map if part.result is not None else None
    if map_HW is not None:
        values["anomaly_map"] = {"datatype": "FP32", "shape": list(map_HW.shape)}
    answer = {
        "model_name": judging.recipe.name,
        "model_version": str(judging.version.number),
        "id": asked.id or row.id,
        "parameters": {"inspection": row.id, "recorded": recorded, "error": row.error or ""},
    }
    asked_for = [each.name for each in asked.outputs] or ["score", "verdict"]
    outputs = [{"name": name, **values[name]} for name in asked_for if name in values]
    told = await asyncio.to_thread(lambda: "".join(answer_pieces(answer, outputs, map_HW)))
    return Response(told, media_type="application/json")
