"""Versions: list, make by a job, upload, download, preview of what would change."""

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from blemish.service.api.answers import API, version_answer
from blemish.service.api.depends import At, Who, documented
from blemish.service.api.history import written
from blemish.service.api.shapes.asked import PreviewAsk, VersionAsk
from blemish.service.api.shapes.jobs import JobOut
from blemish.service.api.shapes.recipes import VersionOut
from blemish.service.clock import new_id
from blemish.service.problems import Problem
from blemish.service.station import Station
from blemish.service.store.inspections import find_inspection
from blemish.service.store.jobs import Job
from blemish.service.store.recipes import Recipe, find_recipe
from blemish.service.store.training import list_training
from blemish.service.store.versions import Version, export_path, find_version, list_versions, model_path
from blemish.service.work.fit_options import check_options

__all__ = ["router"]

router = APIRouter(tags=["versions"], prefix=API)
ASKED = ("false_rejects", "confidence", "review", "threshold")
BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


@router.get("/recipes/{recipe}/versions", response_model=list[VersionOut], responses=documented("unknown-recipe"))
def list_all(recipe: str, station: At) -> list[dict[str, Any]]:
    """All versions, the newest first."""
    found = find_recipe(station.store.read, recipe)
    return [version_answer(found, version) for version in list_versions(station.store.read, found.id)]


@router.post(
    "/recipes/{recipe}/versions",
    response_model=JobOut,
    status_code=202,
    responses=documented("unknown-recipe", "unknown-id", "conflict"),
)
def make(recipe: str, asked: VersionAsk, station: At, who: Who, response: Response) -> dict[str, Any]:
    """Make a new version by a job: fit, add, remove, calibrate; or measure which looks are best: tune."""
    found = find_recipe(station.store.read, recipe)
    ask = asked.model_dump(exclude={"kind", *ASKED})
    given = {name: getattr(asked, name) for name in ASKED if getattr(asked, name) is not None}
    ask["options"] = {**asked.options, **given}
    _check_taken(asked, found, ask["options"])
    if asked.kind in ("fit", "tune"):
        if not list_training(station.store.read, found.id):
            raise Problem("conflict", f"{recipe} has no training pictures yet; send good ones first.")
        ask["parent"] = None
    else:
        ask["parent"] = _parent(station, found, asked.parent)
        _check_named(asked)
        for id in asked.inspections:
            written(station, find_inspection(station.store.read, id))
    return _queued(station, station.bench.queue(who.name, found, asked.kind, ask), found, response)


@router.post(
    "/recipes/{recipe}/versions:upload",
    response_model=JobOut,
    status_code=202,
    responses=documented("unknown-recipe", "disk-full"),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": BINARY,
        }
    },
)
async def upload(
    recipe: str,
    request: Request,
    station: At,
    who: Who,
    response: Response,
    why: Annotated[str, Query(max_length=500)] = "",
    promote: bool = False,
) -> dict[str, Any]:
    """A model file made elsewhere, as a new version; it is checked whole by a job first."""
    data = await request.body()
    return await asyncio.to_thread(_upload, station, who.name, recipe, data, {"why": why, "promote": promote}, response)


@router.get(
    "/recipes/{recipe}/versions/{version}",
    response_model=VersionOut,
    responses=documented("unknown-recipe", "unknown-id"),
)
def one(recipe: str, version: str, station: At) -> dict[str, Any]:
    """One version, by its id or number."""
    found = find_recipe(station.store.read, recipe)
    return version_answer(found, find_version(station.store.read, found, version))


@router.get(
    "/recipes/{recipe}/versions/{version}/model",
    response_class=FileResponse,
    responses={200: {"content": BINARY}, **documented("unknown-recipe", "unknown-id", "not-ready")},
)
def download(recipe: str, version: str, station: At) -> FileResponse:
    """The model file: `blemish inspect` judges by it on any machine."""
    found = find_recipe(station.store.read, recipe)
    made = find_version(station.store.read, found, version)
    missing = Problem("not-ready", f"The model file of version {made.number} is missing; restore it from a backup.")
    return _file(model_path(station.store.models, made), found, made, missing)


@router.post(
    "/recipes/{recipe}/versions/{version}:export",
    response_model=JobOut,
    status_code=202,
    responses=documented("unknown-recipe", "unknown-id"),
)
def export(recipe: str, version: str, station: At, who: Who, response: Response) -> dict[str, Any]:
    """Write a version as one ONNX file, which other programs run; GET .../model.onnx has it once the job is done."""
    found = find_recipe(station.store.read, recipe)
    made = find_version(station.store.read, found, version)
    return _queued(station, station.bench.queue(who.name, found, "export", {"parent": made.id}), found, response)


@router.get(
    "/recipes/{recipe}/versions/{version}/model.onnx",
    response_class=FileResponse,
    responses={200: {"content": BINARY}, **documented("unknown-recipe", "unknown-id", "conflict")},
)
def download_onnx(recipe: str, version: str, station: At) -> FileResponse:
    """The ONNX file of a version that was exported: pixels to score and map (docs/export.md)."""
    found = find_recipe(station.store.read, recipe)
    made = find_version(station.store.read, found, version)
    missing = Problem("conflict", f"Version {made.number} has no ONNX file yet; export it first.")
    return _file(export_path(station.store.models, made), found, made, missing)


@router.post(
    "/recipes/{recipe}/versions/{version}:preview",
    response_model=JobOut,
    status_code=202,
    responses=documented("unknown-recipe", "unknown-id"),
)
def preview(recipe: str, version: str, asked: PreviewAsk, station: At, who: Who, response: Response) -> dict[str, Any]:
    """Let a version judge the last results and the golden pictures again; its job tells old and new verdicts."""
    found = find_recipe(station.store.read, recipe)
    made = find_version(station.store.read, found, version)
    against = find_version(station.store.read, found, asked.against).id if asked.against is not None else None
    ask = {"parent": made.id, "last": asked.last, "against": against}
    job = station.bench.queue(who.name, found, "preview", ask)
    return _queued(station, job, found, response)


def _file(path: Path, recipe: Recipe, version: Version, missing: Problem) -> FileResponse:
    """A file of a version, under the name of its recipe. Raises `missing` where there is none."""
    if not path.is_file():
        raise missing
    name = f"{recipe.name}-{version.number}{path.suffix}"
    return FileResponse(path, media_type="application/octet-stream", filename=name)


def _check_taken(asked: VersionAsk, recipe: Recipe, options: dict[str, Any]) -> None:
    """Raise Problem for options that the job does not take."""
    if asked.kind == "fit":
        check_options({**recipe.settings.options, **options})
        return
    others = asked.options if asked.kind == "calibrate" else options
    if others:
        where = [{"pointer": f"/{name}" if name in ASKED else f"/options/{name}"} for name in others]
        raise Problem("invalid", f"The job {asked.kind} does not take {', '.join(others)}.", errors=where)


def _check_named(asked: VersionAsk) -> None:
    """Raise Problem where a job would have nothing to do."""
    if asked.kind == "add" and not (asked.inspections or asked.pictures):
        raise Problem("invalid", "Name good parts to add.", errors=[{"pointer": "/inspections"}])
    if asked.kind == "remove" and not asked.images:
        raise Problem("invalid", "Name pictures of the model to remove.", errors=[{"pointer": "/images"}])


def _parent(station: Station, recipe: Recipe, version: str | None) -> str:
    """The version to start from, by its id."""
    if version is None and recipe.champion is None:
        raise Problem("conflict", f"{recipe.name} has no version on line to start from; name one.")
    return find_version(station.store.read, recipe, version or recipe.champion or "").id


def _upload(
    station: Station, who: str, name: str, data: bytes, ask: dict[str, Any], response: Response
) -> dict[str, Any]:
    recipe = find_recipe(station.store.read, name)
    folder = station.store.folder / "uploads"
    file = new_id()
    try:
        folder.mkdir(exist_ok=True)
        (folder / file).write_bytes(data)
    except OSError as error:
        (folder / file).unlink(missing_ok=True)
        raise Problem("disk-full", f"The model could not be written: {os.strerror(error.errno or 0)}.") from None
    return _queued(station, station.bench.queue(who, recipe, "upload", ask | {"file": file}), recipe, response)


def _queued(station: Station, job: Job, recipe: Recipe, response: Response) -> dict[str, Any]:
    response.headers["Location"] = f"{API}/jobs/{job.id}"
    return job.to_dict() | {"recipe": recipe.name}
