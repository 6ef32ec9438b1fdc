"""The one route that a line waits for, answered without FastAPI's layers, which cost more than all else of a call.

It is described, guarded and checked as every other: by the same table of access, forms, function and problems. What is
left out is FastAPI's search among all routes and its way of finding a function's arguments.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.middleware.exceptions import ExceptionMiddleware

from blemish.service.api.depends import admitted
from blemish.service.api.guard import Receive, Scope, Send
from blemish.service.api.inspections import Asked, Keyed, inspect_part
from blemish.service.people.access import Needs
from blemish.service.station import Station

__all__ = ["Straight"]

T = TypeVar("T", bound=BaseModel)
KEY = "idempotency-key"
PLAIN = Asked(), Keyed()
"""What a call says that brings nothing but its picture."""


class Straight:
    """Answers calls of `inspect_part` itself and hands all others on (ASGI)."""

    def __init__(self, app: FastAPI, others: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app, self._others = app, others
        self._station: Station = app.state.station
        routes: list[APIRoute] = app.state.routes
        self._route = next(route for route in routes if route.endpoint is inspect_part)
        self._needs: Needs = app.state.access["POST", self._route.path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self._app
        ours = scope["type"] == "http" and scope["method"] == "POST"
        found = self._route.path_regex.match(scope["path"]) if ours else None
        if found is None:
            await self._others(scope, receive, send)
            return
        scope.update(route=self._route, path_params=found.groupdict())
        try:
            response = await self._response(found["recipe"], Request(scope, receive))
        except Exception as error:
            await ExceptionMiddleware(_raising(error), self._app.exception_handlers)(scope, receive, send)
            return
        await response(scope, receive, send)

    async def _response(self, recipe: str, request: Request) -> Response:
        who = admitted(self._station, self._needs, request)
        assert who is not None, "the route needs somebody"
        asked, keyed = _forms(request)
        return await inspect_part(recipe, request, self._station, who, asked, keyed)


def _raising(error: Exception) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return app


def _forms(request: Request) -> tuple[Asked, Keyed]:
    """What a call says beside its picture. Raises RequestValidationError with all that is wrong, as FastAPI does."""
    wrong: list[Any] = []
    key = request.headers.get(KEY)
    if key is None and not request.scope["query_string"]:
        return PLAIN
    asked = _checked(Asked, "query", dict(request.query_params), wrong)
    keyed = _checked(Keyed, "header", {} if key is None else {"idempotency_key": key}, wrong)
    if asked is None or keyed is None:
        raise RequestValidationError(wrong)
    return asked, keyed


def _checked(form: type[T], place: str, values: Mapping[str, Any], wrong: list[Any]) -> T | None:
    try:
        return form.model_validate(values)
    except ValidationError as error:
        for each in error.errors():
            names = (str(name).replace("_", "-") for name in each["loc"])
            wrong.append(each | {"loc": (place, *names)})
        return None
