"""Pages of versions: all of a recipe, one, and two beside each other."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from blemish.service.api.answers import version_answer
from blemish.service.api.depends import At
from blemish.service.pages.histogram import histogram
from blemish.service.pages.said import GONE
from blemish.service.pages.show import show
from blemish.service.pages.teaching import about_recipe, running_job
from blemish.service.problems import Problem
from blemish.service.station import Station
from blemish.service.store.inspections import find_inspection
from blemish.service.store.jobs import ENDED, Job, list_jobs
from blemish.service.store.recipes import Recipe, find_recipe
from blemish.service.store.training import list_training
from blemish.service.store.versions import (
    Version,
    export_path,
    find_version,
    list_versions,
    previous_version,
    version_of_id,
)

__all__ = ["router"]

router = APIRouter(tags=["page"], default_response_class=HTMLResponse)
JOBS = 20
SEARCHED = 500
"""Jobs among which a comparison of two versions is looked for."""
SHOWN = 60
"""Parts on which two versions disagree, with their pictures."""
VERDICTS = ("OK", "REVIEW", "NG", "ERROR")
Short = Annotated[str, Query(max_length=64)]


@router.get("/recipes/{recipe}/versions")
def versions(request: Request, recipe: str, station: At) -> Response:
    """All versions, which is on line, and the way back."""
    found = find_recipe(station.store.read, recipe)
    made = [version_answer(found, each) for each in list_versions(station.store.read, found.id)]
    said = {
        "versions": made,
        "jobs": list_jobs(station.store.read, found.id, JOBS),
        "previous": previous_version(station.store.read, found),
    }
    return show(request, "versions", about_recipe(station, found) | said)


@router.get("/recipes/{recipe}/versions/{version}")
def version(request: Request, recipe: str, version: str, station: At) -> Response:
    """What a version promises, what good parts score with it, and a place to try it."""
    found = find_recipe(station.store.read, recipe)
    made = find_version(station.store.read, found, version)
    parent = version_of_id(station.store.read, made.parent) if made.parent else None
    said = {
        "version": version_answer(found, made),
        "parent": parent,
        "chart": histogram(made.info.get("held_out", []), made.info.get("threshold")),
        "exporting": running_job(station, found, "export"),
        "exported": export_path(station.store.models, made).is_file(),
        "not_exported": _failed(station, found, made),
        "shas": {f"{each.sha256}{each.suffix}": each for each in list_training(station.store.read, found.id)},
    }
    return show(request, "version", about_recipe(station, found) | said)


@router.get("/recipes/{recipe}/compare")
def compare(request: Request, recipe: str, station: At, old: Short = "", new: Short = "") -> Response:
    """Two versions on the same past parts: where they agree, and every part on which they do not."""
    found = find_recipe(station.store.read, recipe)
    made = list_versions(station.store.read, found.id)
    first, second = (find_version(station.store.read, found, each) if each else None for each in (old, new))
    said: dict[str, Any] = {
        "versions": made,
        "old": first,
        "new": second,
        "same": first is not None and first == second,
        "newest": [each.number for each in made[:2]],
        "job": None,
        "told": None,
    }
    if first and second and first != second:
        said |= _compared(station, found, first, second)
    return show(request, "compare", about_recipe(station, found) | said)


def _compared(station: Station, recipe: Recipe, old: Version, new: Version) -> dict[str, Any]:
    """The newest comparison of two versions, and the one that runs."""
    jobs = [
        job
        for job in list_jobs(station.store.read, recipe.id, SEARCHED)
        if job.kind == "preview" and (job.ask["parent"], job.ask.get("against")) == (new.id, old.id)
    ]
    running = next((job for job in jobs if job.state not in ENDED), None)
    done = next((job for job in jobs if job.state == "done"), None)
    failed = jobs[0].error if jobs and jobs[0].state == "failed" else None
    return {"job": running, "failed": failed} | (_told(station, done) if done is not None else {})


def _told(station: Station, job: Job) -> dict[str, Any]:
    result = job.result
    shown = [each | _picture(station, each["id"]) for each in result["changes"][:SHOWN]]
    return {
        "told": result,
        "at": job.ended,
        "table": _table(result["agreement"]),
        "shown": shown,
        "more": len(result["changes"]) - len(shown),
    }


def _table(agreement: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts by old verdict (rows) and new verdict (columns), of the verdicts that were given."""
    counts = {(each["verdict"], each["new_verdict"]): each["count"] for each in agreement}
    rows, columns = ([name for name in VERDICTS if any(pair[side] == name for pair in counts)] for side in (0, 1))
    return {"columns": columns, "rows": [(old, [(new, counts.get((old, new), 0)) for new in columns]) for old in rows]}


def _picture(station: Station, id: str) -> dict[str, Any]:
    """Whether a part can still be shown, and what people say of it now."""
    try:
        row = find_inspection(station.store.read, id)
    except Problem:
        return {"gone": GONE["expired"], "there": False, "label": None}
    return {"gone": GONE.get(row.image_state), "there": True, "label": row.label}


def _failed(station: Station, recipe: Recipe, version: Version) -> str | None:
    """Why the last export of a version failed, if it did."""
    jobs = list_jobs(station.store.read, recipe.id, JOBS)
    last = next((job for job in jobs if job.kind == "export" and job.ask["parent"] == version.id), None)
    return last.error if last is not None and last.state == "failed" else None
