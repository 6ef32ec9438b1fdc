"""Pages for those who teach: recipes, pictures and areas, corrections, versions."""

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from blemish.calibration.promise import highest_rate, parts_needed
from blemish.language.numbers import at_most, percent
from blemish.service.api.answers import Named, recipe_answer
from blemish.service.api.depends import At
from blemish.service.pages.show import show
from blemish.service.station import Station
from blemish.service.store.history import Filter, list_inspections
from blemish.service.store.inspections import Inspection
from blemish.service.store.jobs import ENDED, Job, list_jobs
from blemish.service.store.labels import misses
from blemish.service.store.recipes import Recipe, find_recipe, list_recipes
from blemish.service.store.training import list_golden, list_training
from blemish.service.store.versions import Version, list_versions, previous_version, version_of_id

__all__ = ["about_recipe", "router", "running_job"]

router = APIRouter(tags=["page"], default_response_class=HTMLResponse)
RATES = (0.005, 0.01, 0.02, 0.05, 0.1)
"""Shares of good parts that may be rejected, to choose from."""
USUAL_RATE, CONFIDENCE, HELD_OUT = 0.01, 0.95, 0.2
JOBS = 20
COLLECTED = 500
SHOWN = 300
"""Good pictures on one page."""


@router.get("/recipes")
def recipes(request: Request, station: At) -> Response:
    """All recipes, those put away apart from the others; and the form for a new one."""
    told = [_told(station, each) for each in list_recipes(station.store.read, archived=True)]
    opened, away = ([each for each in told if each["state"] == state] for state in ("open", "archived"))
    return show(request, "recipes", {"recipes": opened, "away": away})


@router.get("/recipes/{recipe}/teach")
def teach(request: Request, recipe: str, station: At) -> Response:
    """Good pictures, areas, operating point, and the job that learns from them."""
    found = find_recipe(station.store.read, recipe)
    pictures = list_training(station.store.read, found.id)
    said = {
        "pictures": pictures,
        "shown": SHOWN,
        "rates": [_rate(rate, len({each.part or each.sha256 for each in pictures})) for rate in RATES],
        "usual": found.settings.options.get("false_rejects", USUAL_RATE),
        "job": running_job(station, found, "fit"),
        "ready": _ready(station, found, "fit"),
    }
    return show(request, "teach", about_recipe(station, found) | said)


@router.get("/recipes/{recipe}/correct")
def correct(request: Request, recipe: str, station: At) -> Response:
    """Parts that are good after all, which the version on line has not learnt."""
    found = find_recipe(station.store.read, recipe)
    named = Named(station)
    said = {
        "collected": [named.inspection(row, detail="verdict") for row in _collected(station, found)],
        "bad": misses(station.store.read, found.id),
        "job": running_job(station, found, "add", "preview"),
        "offer": _offer(station, found),
        "golden": list_golden(station.store.read, found.id),
        "previous": previous_version(station.store.read, found),
    }
    return show(request, "correct", about_recipe(station, found) | said)


def about_recipe(station: Station, recipe: Recipe) -> dict[str, Any]:
    """What every page of a recipe says."""
    return {"recipe": _told(station, recipe)}


def _told(station: Station, recipe: Recipe) -> dict[str, Any]:
    """A recipe with the ETag that a form sends back."""
    return recipe_answer(station, recipe) | {"etag": recipe.etag}


def _rate(rate: float, pictures: int) -> dict[str, Any]:
    """A share of good parts to reject at most, with what so many pictures can promise of it."""
    needed = parts_needed(rate, CONFIDENCE)
    unseen = int(pictures * HELD_OUT)
    return {
        "rate": rate,
        "text": percent(rate),
        "needed": needed,
        "pictures": int(needed / HELD_OUT),
        "unseen": unseen,
        "firm": unseen >= needed,
        "possible": at_most(highest_rate(0, unseen, CONFIDENCE)) if unseen else None,
    }


def running_job(station: Station, recipe: Recipe, *kinds: str) -> Job | None:
    """The job of such a kind that waits or runs; one that compares two versions is no correction."""
    jobs = list_jobs(station.store.read, recipe.id, JOBS)
    running = (each for each in jobs if each.kind in kinds and each.state not in ENDED)
    return next((each for each in running if not each.ask.get("against")), None)


def _ready(station: Station, recipe: Recipe, kind: str) -> Version | None:
    """The newest version, where it was made so and was never on line."""
    newest = next(iter(list_versions(station.store.read, recipe.id)), None)
    if newest is None or newest.kind != kind:
        return None
    rows = station.store.read.execute("SELECT 1 FROM promotion WHERE version = ? LIMIT 1", [newest.id])
    return newest if rows.fetchone() is None else None


def _offer(station: Station, recipe: Recipe) -> Job | None:
    """The preview of a correction that nobody has decided on yet: it was seen in a browser that is closed now."""
    version = _ready(station, recipe, "add")
    jobs = list_jobs(station.store.read, recipe.id, JOBS)
    seen = (each for each in jobs if each.kind == "preview" and each.state == "done" and not each.ask.get("against"))
    return next((each for each in seen if version and each.ask["parent"] == version.id), None)


def _labelled(station: Station, recipe: Recipe, label: str) -> list[Inspection]:
    return list_inspections(station.store.read, Filter(recipe.id, label=label), COLLECTED)


def _collected(station: Station, recipe: Recipe) -> list[Inspection]:
    """Rejected parts that people call good, and that the version on line has not learnt."""
    chain = list(_ancestors(station, recipe))
    made = {each.id for each in chain}
    jobs = list_jobs(station.store.read, recipe.id, COLLECTED)
    learnt = {id for job in jobs if job.version in made for id in job.ask.get("inspections", [])}
    fitted = {
        each.sha256
        for each in list_training(station.store.read, recipe.id)
        if chain and chain[-1].kind == "fit" and each.at <= chain[-1].at
    }
    return [
        row
        for row in _labelled(station, recipe, "good")
        if row.verdict in ("NG", "REVIEW")
        and row.image_state == "stored"
        and row.id not in learnt
        and row.image_sha not in fitted
    ]


def _ancestors(station: Station, recipe: Recipe) -> Iterator[Version]:
    """The version on line, the one it was made of, and so on."""
    at = recipe.champion
    while at is not None and (found := version_of_id(station.store.read, at)) is not None:
        yield found
        at = found.parent
