"""What people see where a page cannot be shown, and the page that explains each kind of problem."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from blemish.service.api.depends import station_of
from blemish.service.pages.show import show
from blemish.service.people.access import COOKIE, caller_of
from blemish.service.problems import KINDS, Problem

__all__ = ["problem_page", "router"]

router = APIRouter(tags=["page"], default_response_class=HTMLResponse)
MISSING = "The address may be mistyped, or what was there was renamed or put away."
LINE = "/", "To the line"
WAYS: Mapping[str, tuple[str, str, str]] = {
    "not-found": (MISSING, *LINE),
    "unknown-recipe": (MISSING, "/recipes", "All recipes"),
    "invalid": (MISSING, *LINE),
    "unknown-id": (
        "Old rows of OK parts go after the time that the recipe keeps them; the history shows what is there.",
        "/history",
        "To the history",
    ),
    "forbidden": ("Ask an engineer for the role, or log in as somebody who has it.", *LINE),
}
"""What somebody at a browser does, and where they go; for other kinds, what programs do is true for them as well."""


@router.get("/errors/{name}")
def error_page(request: Request, name: str) -> Response:
    """What a problem means and what to do."""
    kind = KINDS.get(name)
    if kind is None:
        raise Problem("not-found", f"There is no problem of the name {name!r}.")
    _know_caller(request)
    return show(request, "problem", {"name": name, "kind": kind, "detail": None, "remedy": kind.remedy, "way": LINE})


def problem_page(request: Request, problem: Problem) -> Response | None:
    """A problem as a page, for a browser that opens an address of ours; None for whoever asks for something else."""
    path, accepts = request.url.path, request.headers.get("accept", "")
    if request.method != "GET" or path.startswith(("/api/", "/v2")) or "text/html" not in accepts:
        return None
    _know_caller(request)
    of_recipe = problem.name == "unknown-id" and path.startswith("/recipes/")  # a version of it
    name = "unknown-recipe" if of_recipe else problem.name
    remedy, *way = WAYS.get(name, (problem.kind.remedy, *LINE))
    said = {"name": problem.name, "kind": problem.kind, "detail": str(problem), "remedy": remedy, "way": way}
    return show(request, "problem", said, problem.kind.status)


def _know_caller(request: Request) -> None:
    """Whoever calls, so that they read their own language; it does not matter what they may do."""
    cookie = request.cookies.get(COOKIE)
    request.state.caller = caller_of(station_of(request).store, None, cookie)
