"""Jobs: where they are, cancel, start again."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from blemish.service.api.answers import API
from blemish.service.api.depends import At, Who, documented
from blemish.service.api.shapes.jobs import JobOut
from blemish.service.problems import Problem
from blemish.service.station import Station
from blemish.service.store.jobs import Job, find_job, list_jobs
from blemish.service.store.recipes import find_recipe, recipe_of_id

__all__ = ["router"]

router = APIRouter(tags=["jobs"], prefix=API)


@router.get("/jobs", response_model=list[JobOut], responses=documented("unknown-recipe"))
def list_all(
    station: At,
    recipe: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> list[dict[str, Any]]:
    """The newest jobs. Their changes come as events `job` from GET /events."""
    id = find_recipe(station.store.read, recipe).id if recipe is not None else None
    return [_told(station, job) for job in list_jobs(station.store.read, id, limit)]


@router.get("/jobs/{job}", response_model=JobOut, responses=documented("unknown-id"))
def one(job: str, station: At) -> dict[str, Any]:
    """One job."""
    return _told(station, find_job(station.store.read, job))


@router.post("/jobs/{job}:cancel", response_model=JobOut, responses=documented("unknown-id"))
def cancel(job: str, station: At, who: Who) -> dict[str, Any]:
    """Stop a job, whether it waits or runs; one that has ended stays as it is."""
    return _told(station, station.bench.cancel(who.name, job))


@router.post(
    "/jobs/{job}:retry", response_model=JobOut, status_code=202, responses=documented("unknown-id", "conflict")
)
def retry(job: str, station: At, who: Who) -> dict[str, Any]:
    """Queue a job again that failed or was cancelled."""
    found = find_job(station.store.read, job)
    if found.state not in ("failed", "cancelled") or found.kind == "upload":
        raise Problem("conflict", f"The job is {found.state}; only one that failed or was cancelled starts again.")
    recipe = recipe_of_id(station.store.read, found.recipe)
    return _told(station, station.bench.queue(who.name, recipe, found.kind, found.ask))


def _told(station: Station, job: Job) -> dict[str, Any]:
    return job.to_dict() | {"recipe": recipe_of_id(station.store.read, job.recipe).name}
