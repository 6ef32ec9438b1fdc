"""Pages for those who look: the line, one result, the queue of parts to review, and the history."""

import math
from dataclasses import replace
from importlib.util import find_spec
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from blemish.language.translation import translated
from blemish.service.api.answers import Named, recipe_answer
from blemish.service.api.depends import At, Who
from blemish.service.clock import later, moment, now
from blemish.service.pages.said import GONE, in_words
from blemish.service.pages.show import language_of, show, teller
from blemish.service.problems import Problem
from blemish.service.station import Station
from blemish.service.store.history import Filter, count_hours, list_inspections
from blemish.service.store.inspections import find_inspection
from blemish.service.store.labels import list_labels
from blemish.service.store.recipes import find_recipe, list_recipes
from blemish.service.store.training import list_golden
from blemish.service.store.versions import list_versions

__all__ = ["router"]

router = APIRouter(tags=["page"], default_response_class=HTMLResponse)
SHIFT_HOURS = 8
STRIP = 24
"""Of the newest parts of a recipe, on the line's page."""
PAGE = 50
DAYS = 7
QUEUE = 200
"""Parts that the review asks for at once."""
VERDICTS = ("OK", "NG", "REVIEW", "ERROR")
FORMATS = [("csv", "CSV"), ("jsonl", "JSON Lines"), ("parquet", "Parquet")]


@router.get("/")
def line(request: Request, station: At, who: Who) -> Response:
    """The newest verdict of every recipe's line, large; batches and try-outs are none of it."""
    return show(request, "line", _line(station))


@router.get("/line")
def tiles(request: Request, station: At) -> Response:
    """The tiles alone: what changes on the line's page."""
    return show(request, "tiles", _line(station))


@router.get("/review")
def review(request: Request, station: At, recipe: str | None = None) -> Response:
    """Parts that are NG or REVIEW and have no answer yet, one at a time."""
    waiting = _waiting(station, recipe or None)
    names = [each.name for each in list_recipes(station.store.read)]
    return show(request, "review", {"waiting": waiting, "recipe": recipe, "recipes": names})


@router.get("/results/{inspection}")
def result(request: Request, inspection: str, station: At, who: Who) -> Response:
    """One verdict with everything behind it."""
    row = find_inspection(station.store.read, inspection)
    told = Named(station).inspection(row, detail="full")
    said = {
        "row": told,
        "words": in_words(teller(language_of(request, who)), told),
        "labels": list_labels(station.store.read, inspection),
        "gone": GONE.get(row.image_state),
        "near": _near(station, told),
        "golden": next(
            (each for each in list_golden(station.store.read, row.recipe) if each.sha256 == row.image_sha), None
        ),
    }
    return show(request, "result", said)


@router.get("/history")
def history(
    request: Request,
    station: At,
    recipe: str = "",
    verdict: Literal["", "OK", "NG", "REVIEW", "ERROR"] = "",
    since: str = "",
    until: str = "",
    serial: Annotated[str, Query(max_length=200)] = "",
    version: Annotated[str, Query(max_length=64)] = "",
    label: Literal["", "good", "bad", "unsure", "any", "none"] = "",
    min_score: str = "",
    kind: Literal["", "line", "batch", "try"] = "",
    cursor: Annotated[str, Query(pattern=r"^\d{0,18}$")] = "",
) -> Response:
    """Past verdicts by a filter; its address is the filter, so that it can be sent to others."""
    asked = {"recipe": recipe, "verdict": verdict, "since": since, "until": until, "serial": serial}
    asked |= {"version": version, "label": label, "min_score": min_score, "kind": kind}
    versions, problem = [], None
    try:
        versions = list_versions(station.store.read, find_recipe(station.store.read, recipe).id) if recipe else []
        if recipe and version not in (each.id for each in versions):
            asked["version"] = ""  # of the recipe that was chosen before
        wanted = _filter(station, {name: value for name, value in asked.items() if value})
    except Problem as error:
        wanted, problem = Filter(), str(error)
    given = {name: value for name, value in asked.items() if value}
    before = replace(wanted, before=int(cursor) if cursor else None)
    rows = list_inspections(station.store.read, before, PAGE) if problem is None else []
    named = Named(station)
    said = {
        "rows": [named.inspection(row, detail="verdict") for row in rows],
        "next": str(rows[-1].seq) if len(rows) == PAGE else None,
        "asked": asked,
        "given": given,
        "problem": problem,
        "recipes": [each.name for each in list_recipes(station.store.read, archived=True)],
        "versions": versions,
        "hours": _hours(station, wanted) if problem is None else [],
        "formats": [each for each in FORMATS if each[0] != "parquet" or find_spec("pyarrow")],
    }
    return show(request, "history", said)


@router.get("/sentence", response_class=PlainTextResponse)
def sentence(request: Request, who: Who, text: Annotated[str, Query(max_length=2000)]) -> str:
    """A sentence that the station has said, in the reader's language."""
    return translated(text) if language_of(request, who) == "ja" else text


def _line(station: Station) -> dict[str, Any]:
    tiles = _tiles(station)
    away = not tiles and bool(list_recipes(station.store.read, archived=True))
    return {"tiles": tiles, "away": away, "now": now(), "alarms": station.alarms()}


def _tiles(station: Station) -> list[dict[str, Any]]:
    named = Named(station)
    made = []
    for recipe in list_recipes(station.store.read):
        rows = list_inspections(station.store.read, Filter(recipe.id, kind="line"), STRIP)
        counted = count_hours(station.store.read, recipe.id, later(-SHIFT_HOURS * 3600), later(0), "line")
        counts = {verdict: sum(each["count"] for each in counted if each["verdict"] == verdict) for verdict in VERDICTS}
        strip = [named.inspection(row, detail="verdict") for row in rows]
        tile = {"recipe": recipe_answer(station, recipe), "newest": strip[0] if strip else None, "strip": strip}
        made.append(tile | {"counts": counts})
    return made


def _hours(station: Station, wanted: Filter) -> list[dict[str, Any]]:
    """Counts of the hours asked for; of the last seven days where no time is said."""
    since = wanted.since or later(-DAYS * 86_400)
    return count_hours(station.store.read, wanted.recipe, since, wanted.until or later(0), wanted.kind)


def _waiting(station: Station, recipe: str | None) -> list[dict[str, Any]]:
    id = find_recipe(station.store.read, recipe).id if recipe else None
    rows = [
        row
        for verdict in ("NG", "REVIEW")
        for row in list_inspections(station.store.read, Filter(id, verdict, label="none"), QUEUE)
    ]
    named = Named(station)
    return [named.inspection(row, detail="regions") for row in sorted(rows, key=lambda row: row.seq)[-QUEUE:]]


def _near(station: Station, told: dict[str, Any]) -> dict[str, Any] | None:
    """The good patch nearest to the strangest one, of the strangest region that knows one; is its picture here?"""
    known = [(place, region) for place, region in enumerate(told["regions"]) if region.get("nearest")]
    if not known:
        return None
    place, region = max(known, key=lambda each: each[1]["score"])
    nearest = region["nearest"][0]
    kept = station.store.pictures.named(nearest["path"]) is not None
    return {"place": place, "kept": kept} | {name: nearest[name] for name in ("x", "y", "at", "distance")}


def _filter(station: Station, given: dict[str, str]) -> Filter:
    """A search as it was typed. Raises Problem."""
    recipe = find_recipe(station.store.read, given["recipe"]).id if "recipe" in given else None
    since, until = (_time(given[name]) if name in given else None for name in ("since", "until"))
    score = _score(given["min_score"]) if "min_score" in given else None
    verdict, serial, version, label = (given.get(name) for name in ("verdict", "serial", "version", "label"))
    return Filter(recipe, verdict, since, until, serial, version, label, score, kind=given.get("kind"))


def _time(typed: str) -> str:
    try:
        return moment(typed)
    except ValueError:
        raise Problem("invalid", f"{typed!r} is no time; write it as 2026-11-26 06:00.") from None


def _score(typed: str) -> float:
    """A number as people type it, also with a decimal comma."""
    try:
        score = float(typed.replace(",", "."))
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise Problem("invalid", f"{typed!r} is no number.")
    return score
