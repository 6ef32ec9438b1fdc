"""The way in: by name and password, or by the link that the station printed."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from blemish.service.api.depends import At
from blemish.service.api.people import begin_session, login_once, login_with_password
from blemish.service.pages.show import show
from blemish.service.problems import Problem

__all__ = ["router"]

router = APIRouter(tags=["page"], default_response_class=HTMLResponse)


@router.get("/login")
def login(request: Request, next: str = "/") -> Response:
    """Name and password."""
    return show(request, "login", {"next": next, "problem": None})


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
        return show(request, "login", {"next": next, "problem": str(problem)}, problem.kind.status)
    response = RedirectResponse(_own(next), 303)
    begin_session(station, response, user["id"])
    return response


@router.get("/login/once")
def log_in_once(request: Request, station: At, secret: str = "") -> Response:
    """The link that the station printed when it started."""
    try:
        user = login_once(station, secret)
    except Problem as problem:
        return show(request, "login", {"next": "/", "problem": str(problem)}, problem.kind.status)
    response = RedirectResponse("/", 303)
    begin_session(station, response, user["id"])
    return response


def _own(address: str) -> str:
    """An address on this station; its front page where the one given leads elsewhere."""
    return address if address.startswith("/") and not address.startswith(("//", "/\\")) else "/"
