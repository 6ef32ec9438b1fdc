"""KServe's open inference protocol, version 2, beside our own: what speaks it needs no client of ours."""

import asyncio
import base64
import binascii
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from blemish.service.api.depends import At, Who, documented
from blemish.service.api.inspections import served, verdict
from blemish.service.api.shapes.health import Live
from blemish.service.api.shapes.kserve import Inferred, ModelOut, ModelReady, ServerOut, ServerReady
from blemish.service.people.access import Caller
from blemish.service.problems import Problem
from blemish.service.station import Station
from blemish.service.store.recipes import find_recipe
from blemish.service.store.versions import find_version, list_versions
from blemish.service.work.part import SOON, Part, Ticket

__all__ = ["router"]

router = APIRouter(tags=["kserve"], prefix="/v2")
MOST_VALUES = 50_000_000
INPUTS = [
    {"name": "image", "datatype": "BYTES", "shape": [1]},
    {"name": "image", "datatype": "UINT8", "shape": [-1, -1, 3]},
]
OUTPUTS = [
    {"name": "score", "datatype": "FP32", "shape": [1]},
    {"name": "verdict", "datatype": "BYTES", "shape": [1]},
    {"name": "anomaly_map", "datatype": "FP32", "shape": [-1, -1]},
]


class Tensor(BaseModel):
    """One input: `image` as UINT8 [H, W, 3], or as BYTES [1], a file in base64."""

    model_config = ConfigDict(extra="ignore")

    name: Literal["image"]
    datatype: Literal["UINT8", "BYTES"]
    shape: list[Annotated[int, Field(ge=1, le=100_000)]] = Field(max_length=4)
    data: list[Any] = Field(max_length=MOST_VALUES)


class Wanted(BaseModel):
    """One output that is asked for."""

    model_config = ConfigDict(extra="ignore")

    name: Literal["score", "verdict", "anomaly_map"]


class Infer(BaseModel):
    """A call for one picture."""

    model_config = ConfigDict(extra="ignore")

    id: Annotated[str, Field(max_length=200)] | None = None
    inputs: list[Tensor] = Field(min_length=1, max_length=1)
    outputs: list[Wanted] = Field(default=[], max_length=3)


_INFER = documented("unknown-recipe", "unknown-id", "not-on-line", "busy", "not-ready")


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
    responses=documented("unknown-recipe", "unknown-id", "not-ready"),
)
def version_ready(recipe: str, version: str, station: At) -> dict[str, bool]:
    """Whether a version can judge."""
    station.registry.version_named(recipe, version)
    return {"ready": True}


@router.post("/models/{recipe}/infer", response_model=Inferred, responses=_INFER)
async def infer(
    recipe: str, asked: Infer, station: At, who: Who, serial: Annotated[str | None, Query(max_length=200)] = None
) -> dict[str, Any]:
    """Judge one picture by the version on line; it is recorded as every part."""
    return await _infer(station, who, recipe, None, asked, serial)


@router.post("/models/{recipe}/versions/{version}/infer", response_model=Inferred, responses=_INFER)
async def infer_version(
    recipe: str,
    version: str,
    asked: Infer,
    station: At,
    who: Who,
    serial: Annotated[str | None, Query(max_length=200)] = None,
) -> dict[str, Any]:
    """Judge one picture by the version that is named."""
    return await _infer(station, who, recipe, version, asked, serial)


async def _infer(
    station: Station, who: Caller, recipe: str, version: str | None, asked: Infer, serial: str | None
) -> dict[str, Any]:
    data = await asyncio.to_thread(_bytes, asked.inputs[0])
    judging = await served(station, recipe, version)
    part = Part(judging, data, Ticket("picture", "v2", who.name, serial), SOON)
    row, recorded = await verdict(station, part)
    values: dict[str, dict[str, Any]] = {
        "verdict": {"datatype": "BYTES", "shape": [1], "data": [row.verdict]},
    }
    if row.score is not None:
        values["score"] = {"datatype": "FP32", "shape": [1], "data": [row.score]}
    asked_for = [each.name for each in asked.outputs] or ["score", "verdict"]
    map_HW = part.result.anomaly_map if part.result is not None else None
    if "anomaly_map" in asked_for and map_HW is not None:
        flat = np.nan_to_num(map_HW).astype(np.float32)
        values["anomaly_map"] = {"datatype": "FP32", "shape": list(flat.shape), "data": flat.ravel().tolist()}
    return {
        "model_name": judging.recipe.name,
        "model_version": str(judging.version.number),
        "id": asked.id or row.id,
        "parameters": {"inspection": row.id, "recorded": recorded, "error": row.error or ""},
        "outputs": [{"name": name, **values[name]} for name in asked_for if name in values],
    }


def _bytes(tensor: Tensor) -> bytes:
    """The picture as the bytes of a file, which is what is kept; pixels become a PNG. Raises Problem."""
    try:
        if tensor.datatype == "BYTES":
            return base64.b64decode(str(tensor.data[0]), validate=True)
        height, width, channels = tensor.shape
        pixels = np.asarray(tensor.data, np.int64).reshape(height, width, channels)
        if channels != 3 or pixels.min() < 0 or pixels.max() > 255:
            raise ValueError("three channels of 0 to 255 are wanted")
        return cv2.imencode(".png", cv2.cvtColor(pixels.astype(np.uint8), cv2.COLOR_RGB2BGR))[1].tobytes()
    except (ValueError, TypeError, IndexError, OverflowError, binascii.Error) as error:
        raise Problem(
            "invalid", f"The input image cannot be used: {error}.", errors=[{"pointer": "/inputs/0"}]
        ) from None
