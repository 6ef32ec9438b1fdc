"""Pages: the way in, and a first list of recipes and verdicts."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates

from blemish.service.api.answers import Named, recipe_answer
from blemish.service.api.depends import At, Who
from blemish.service.api.people import begin_session, login_once, login_with_password
from blemish.service.people.access import Needs
from blemish.service.problems import Problem
from blemish.service.store.history import Filter, list_inspections
from blemish.service.store.recipes import list_recipes

__all__ = ["ACCESS", "STATIC", "router"]

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
templates = Jinja2Templates(FOLDER / "templates")
router = APIRouter(tags=["page"], default_response_class=HTMLResponse)
ACCESS = {
    ("GET", "/"): Needs.VIEW,
    ("GET", "/login"): Needs.NOTHING,
    ("POST", "/login"): Needs.NOTHING,
    ("GET", "/login/once"): Needs.NOTHING,
}
"""What each page needs; a page that is not here stops the station from starting."""


@router.get("/")
def home(request: Request, station: At, who: Who) -> Response:
    """All recipes, and the newest verdicts."""
    recipes = [recipe_answer(station, recipe) for recipe in list_recipes(station.store.read)]
    named = Named(station)
    newest = [named.inspection(row) for row in list_inspections(station.store.read, Filter(), 24)]
    return templates.TemplateResponse(request, "home.html", {"recipes": recipes, "newest": newest, "who": who})


@router.get("/login")
def login(request: Request, next: str = "/") -> Response:
    """Name and password."""
    return templates.TemplateResponse(request, "login.html", {"next": next, "problem": None})


@router.post("/login")
def log_in(
    request: Request,
    station: At,
    name: Annotated[str, Form(max_length=100)],
    password: Annotated[str, Form(max_length=1000)],
    next: Annotated[str, Form(max_length=1000)] = "/",
) -> Response:
    """Begin a session, and go where the visitor wanted to go."""
    address = request.client.host if request.client else "?"
    try:
        user = login_with_password(station, name, password, address)
    except Problem as problem:
        said = {"next": next, "problem": str(problem)}
        return templates.TemplateResponse(request, "login.html", said, problem.kind.status)
    response = RedirectResponse(_own(next), 303)
    begin_session(station, response, user["id"])
    return response


@router.get("/login/once")
def log_in_once(station: At, secret: str = "") -> Response:
    """The link that the station printed when it started."""
    user = login_once(station, secret)
    response = RedirectResponse("/", 303)
    begin_session(station, response, user["id"])
    return response


def _own(address: str) -> str:
    """An address on this station; its front page where the one given leads elsewhere."""
    return address if address.startswith("/") and not address.startswith(("//", "/\\")) else "/"
