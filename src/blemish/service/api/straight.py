"""The one route that a line waits for, answered without FastAPI's layers, which cost more than all else of a call.

It is described, guarded and checked as every other: by the same table of access, forms, function and problems. What is
left out is FastAPI's search among all routes and its way of finding a function's arguments.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.middleware.exceptions import ExceptionMiddleware

from blemish.service.api.depends import gate, person, station_of
from blemish.service.api.guard import Receive, Scope, Send
from blemish.service.api.inspections import Asked, Keyed, inspect_part

__all__ = ["Straight"]

T = TypeVar("T", bound=BaseModel)
KEY = "idempotency-key"


class Straight:
    """Answers calls of `inspect_part` itself and hands all others on (ASGI)."""

    def __init__(self, app: FastAPI, others: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app, self._others = app, others
        routes: list[APIRoute] = app.state.routes
        self._route = next(route for route in routes if route.endpoint is inspect_part)
        self._answer = ExceptionMiddleware(_answered, app.exception_handlers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self._app
        ours = scope["type"] == "http" and scope["method"] in (self._route.methods or ())
        found = self._route.path_regex.match(scope["path"]) if ours else None
        if found is None:
            await self._others(scope, receive, send)
            return
        scope.update(route=self._route, path_params=found.groupdict())
        await self._answer(scope, receive, send)


async def _answered(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive, send)
    await gate(request)
    asked, keyed = _forms(request)
    station, who = station_of(request), person(request)
    response = await inspect_part(request.path_params["recipe"], request, station, who, asked, keyed)
    await response(scope, receive, send)


def _forms(request: Request) -> tuple[Asked, Keyed]:
    """What a call says beside its picture. Raises RequestValidationError with all that is wrong, as FastAPI does."""
    wrong: list[Any] = []
    key = request.headers.get(KEY)
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
