"""The application: all routes, the one table of access over them, and problems for whatever goes wrong."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from blemish.service.api import following, health, history, images, inspections, jobs, kserve, people, recipes, versions
from blemish.service.api.admission import Admission
from blemish.service.api.answers import API
from blemish.service.api.depends import documented, gate
from blemish.service.api.guard import Guard, problem_answer
from blemish.service.api.shapes.health import Description
from blemish.service.api.shapes.problems import ProblemOut
from blemish.service.api.straight import Straight
from blemish.service.people.access import ACCESS, Needs
from blemish.service.problems import Problem
from blemish.service.station import Station

__all__ = ["make_app", "routes_of"]

EVERYWHERE = ("wrong-host", "too-slow", "too-large", "invalid")
GUARDED = ("unauthenticated", "forbidden")
WRITING = ("cross-site", "disk-full")


def make_app(
    station: Station,
    pages: Sequence[APIRouter] = (),
    access: Mapping[tuple[str, str], Needs] | None = None,
    problem_page: Callable[[Request, Problem], Response | None] | None = None,
) -> FastAPI:
    """The application of a station; `pages` are more routes, and `access` what they need.

    `problem_page` shows a problem to people; where it gives None, the problem is answered as programs want it.

    Raises AssertionError where a route is not in the table of access.
    """
    app = FastAPI(
        title="blemish station",
        version="1",
        openapi_url=None,
        docs_url=None,  # its page would ask another host for its script
        redoc_url=None,
        dependencies=[Depends(gate)],
        generate_unique_id_function=lambda route: f"{route.tags[0] if route.tags else 'page'}_{route.name}",
    )
    app.state.station = station
    app.state.access = {**ACCESS, **(access or {})}
    rooms = (health, inspections, history, recipes, images, versions, jobs, following, people, kserve)
    routers = [*(each.router for each in rooms), _description(app), *pages]
    for router in routers:
        app.include_router(router)
    app.state.routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    missing = routes_of(app) - app.state.access.keys()
    assert not missing, f"these routes are not in the table of access: {sorted(missing)}"
    _answer_problems(app, problem_page)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    app.middleware_stack = Guard(Straight(app, Admission(app, app.build_middleware_stack())), station.settings)
    return app


def routes_of(app: FastAPI) -> set[tuple[str, str]]:
    """Method and path of every route."""
    routes: list[APIRoute] = app.state.routes
    return {(method, route.path) for route in routes for method in route.methods or ()}


def _description(app: FastAPI) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get(f"{API}/openapi.json", response_model=Description)
    async def openapi() -> dict[str, Any]:
        """This description."""
        return app.openapi()

    return router


def _answer_problems(app: FastAPI, problem_page: Callable[[Request, Problem], Response | None] | None) -> None:
    def answered(request: Request, problem: Problem) -> Response:
        if problem_page is not None and (page := problem_page(request, problem)) is not None:
            return page
        status, body, headers = problem_answer(problem, request.url.path, request.state.request_id)
        return Response(body, status, headers)

    @app.exception_handler(Problem)
    async def of_ours(request: Request, error: Problem) -> Response:
        if error.name == "unauthenticated" and request.method == "GET" and not _is_for_programs(request):
            return _to_login(request)
        return answered(request, error)

    @app.exception_handler(RequestValidationError)
    async def of_values(request: Request, error: RequestValidationError) -> Response:
        errors = [
            {"pointer": "/" + "/".join(map(str, each["loc"])), "detail": str(each["msg"])} for each in error.errors()
        ]
        return answered(request, Problem("invalid", "A value cannot be used; `errors` names it.", errors=errors))

    @app.exception_handler(UnicodeEncodeError)
    async def of_text(request: Request, error: UnicodeEncodeError) -> Response:
        return answered(request, Problem("invalid", "A text is not Unicode.", errors=[]))

    @app.exception_handler(sqlite3.OperationalError)
    async def of_disk(request: Request, error: sqlite3.OperationalError) -> Response:
        return answered(request, Problem("not-ready", f"The database does not answer ({error})."))

    @app.exception_handler(HTTPException)
    async def of_http(request: Request, error: HTTPException) -> Response:
        names = {404: "not-found", 405: "wrong-method", 413: "too-large", 415: "wrong-media", 422: "invalid"}
        name = names.get(error.status_code, "malformed")
        said = f"There is nothing at {request.url.path}." if name == "not-found" else str(error.detail)
        return answered(request, Problem(name, said, headers=error.headers))


def _is_for_programs(request: Request) -> bool:
    return request.url.path.startswith(("/api/", "/v2"))


def _to_login(request: Request) -> Response:
    """The way to log in, and back to what was asked for; a page that asked for a part of itself goes there whole."""
    asked = request.headers.get("hx-current-url") if "hx-request" in request.headers else str(request.url)
    parts = urlsplit(asked or "/")
    login = f"/login?next={quote(f'{parts.path}?{parts.query}' if parts.query else parts.path)}"
    if "hx-request" in request.headers:  # htmx would follow a redirect by itself, and put the form into the page
        return Response(status_code=401, headers={"HX-Redirect": login})
    return RedirectResponse(login, 303)


def _described(app: FastAPI) -> dict[str, Any]:
    """OpenAPI, with the problems of every route, and without those that FastAPI invents."""
    if app.openapi_schema is None:
        shown = [route for route in app.state.routes if "page" not in route.tags]
        described = get_openapi(title=app.title, version=app.version, routes=shown)
        schemas = described["components"].setdefault("schemas", {})
        schemas.update(kserve.SCHEMAS, Problem=ProblemOut.model_json_schema())
        described["components"]["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer"},
            "session": {"type": "apiKey", "in": "cookie", "name": "blemish_session"},
        }
        for path, methods in described["paths"].items():
            for method, operation in methods.items():
                _describe(operation, method.upper(), app.state.access[method.upper(), path])
        app.openapi_schema = described
    return app.openapi_schema


def _describe(operation: dict[str, Any], method: str, needs: Needs) -> None:
    """Add what every route answers, and who may call it."""
    names = [*EVERYWHERE, *(GUARDED if needs is not Needs.NOTHING else ()), *(WRITING if method != "GET" else ())]
    answers = operation["responses"]
    for status, said in {"400": documented("malformed", "wrong-host")[400], **_texts(documented(*names))}.items():
        if status == "422" or status not in answers:
            answers[status] = dict(said)
    for status, answer in answers.items():
        if int(status) >= 400 and not (operation["operationId"] == "health_ready" and status == "503"):
            answer["content"] = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation["x-needs"] = str(needs)
    if needs is not Needs.NOTHING:
        operation["security"] = [{"token": []}, {"session": []}]


def _texts(answers: Mapping[int | str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {str(status): answer for status, answer in answers.items()}
