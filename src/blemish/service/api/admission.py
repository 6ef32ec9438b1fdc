"""Who may not make a call is refused by its head: FastAPI would read a form or JSON to its end before it asks."""

import re
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute

from blemish.service.api.depends import admitted
from blemish.service.api.guard import SAFE, Receive, Scope, Send
from blemish.service.people.access import Needs
from blemish.service.station import Station

__all__ = ["Admission"]


class Admission:
    """Hands calls on whose caller may make them (ASGI). Raises Problem for the others, before any of the body is read.

    The gate of each route asks again: a token may end while a body comes.
    """

    def __init__(self, app: FastAPI, others: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._others = others
        self._station: Station = app.state.station
        routes: list[APIRoute] = app.state.routes
        self._table: list[tuple[str, re.Pattern[str], Needs]] = [
            (method, route.path_regex, app.state.access[method, route.path])
            for route in routes
            for method in route.methods or ()
            if method not in SAFE
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE:
            with suppress(sqlite3.Error):  # the gate meets it too, and its answer says so
                admitted(self._station, self._needs(scope), Request(scope))
        await self._others(scope, receive, send)

    def _needs(self, scope: Scope) -> Needs:
        """What the route of a call needs; nothing where there is no such route, which others say."""
        method, path = scope["method"], scope["path"]
        return next((needs for of, regex, needs in self._table if of == method and regex.match(path)), Needs.NOTHING)
