"""What routes ask for: the station, who calls; and how the one table of access is applied to every route."""

from typing import Annotated, Any

from fastapi import Depends, Request

from blemish.service.people.access import COOKIE, Caller, Needs, allow, caller_of
from blemish.service.problems import KINDS
from blemish.service.station import Station

__all__ = ["At", "Who", "admitted", "documented", "gate", "person", "route_needs", "station_of"]


def station_of(request: Request) -> Station:
    """The station that a request came to."""
    station: Station = request.app.state.station
    return station


def route_needs(request: Request) -> Needs:
    """What the route of a request needs; pages bring their own part of the table."""
    key = request.method, request.scope["route"].path
    table: dict[tuple[str, str], Needs] = request.app.state.access
    return table[key]


async def gate(request: Request) -> None:
    """Let a call pass whose caller may make it. Raises Problem."""
    request.state.caller = admitted(station_of(request), route_needs(request), request)


def admitted(station: Station, needs: Needs, request: Request) -> Caller | None:
    """Who calls what needs this. Raises Problem where they may not."""
    if needs is Needs.NOTHING:
        return None
    token = request.headers.get("authorization")
    cookie = request.cookies.get(COOKIE) if token is None else None  # a token goes first
    caller = caller_of(station.store, token, cookie)
    allow(needs, caller)
    return caller


def person(request: Request) -> Caller:
    """Who makes this call, which the gate has let pass."""
    caller: Caller = request.state.caller
    return caller


def documented(*problems: str) -> dict[int | str, dict[str, Any]]:
    """The problems of a route, beside those of every route, for its description."""
    by_status: dict[int | str, list[str]] = {}
    for name in problems:
        by_status.setdefault(KINDS[name].status, []).append(name)
    return {
        status: {"description": "; ".join(f"`{name}`: {KINDS[name].title}" for name in names)}
        for status, names in by_status.items()
    }


async def _station(request: Request) -> Station:  # async: a plain function would cost a change of threads
    return station_of(request)


async def _person(request: Request) -> Caller:
    return person(request)


At = Annotated[Station, Depends(_station)]
Who = Annotated[Caller, Depends(_person)]
