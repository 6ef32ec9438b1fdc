"""Parts are judged: one a call, or a batch that answers line by line."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.datastructures import UploadFile

from blemish.service.api.answers import API, Detail, Named
from blemish.service.api.depends import At, Who, documented
from blemish.service.api.shapes.parts import InspectionOut
from blemish.service.problems import Problem
from blemish.service.station import Station
from blemish.service.store.inspections import Inspection, repeated
from blemish.service.work.part import REST, SOON, Part, Ticket
from blemish.service.work.registry import Served

__all__ = ["Asked", "Keyed", "inspect_part", "router", "served", "verdict"]

router = APIRouter(tags=["inspections"], prefix=API)
MOST = 64
"""Pictures of one batch."""
SMALL = 1 << 18
"""Bytes that are hashed in half a millisecond, for which the other calls can wait."""
RAW = ("image/", "application/octet-stream")
Short = Annotated[str | None, Field(max_length=200)]
_PICTURE: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_FORM: dict[str, Any] = {
    "schema": {"type": "object", "required": ["image"], "properties": {"image": _PICTURE["schema"]}}
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            **{f"image/{kind}": _PICTURE for kind in ("png", "jpeg", "tiff", "bmp")},
            "application/octet-stream": _PICTURE,
            "multipart/form-data": _FORM,
        },
    }
}
_BATCH = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["images"],
                    "properties": {"images": {"type": "array", "maxItems": MOST, "items": _PICTURE["schema"]}},
                }
            }
        },
    }
}


class Asked(BaseModel):
    """What a call says of its part beside the picture."""

    serial: Short = None
    group: Short = None
    trigger: Short = None
    version: Annotated[str | None, Field(max_length=64)] = None
    detail: Detail = "regions"


class Keyed(BaseModel):
    """The header that makes a repeated call safe."""

    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)] | None = None


@router.post(
    "/recipes/{recipe}/inspections",
    response_model=InspectionOut,
    responses=documented(
        "unknown-recipe", "not-on-line", "idempotency-conflict", "wrong-media", "busy", "not-ready", "unknown-id"
    ),
    openapi_extra=_BODY,
)
async def inspect_part(
    recipe: str,
    request: Request,
    station: At,
    who: Who,
    asked: Annotated[Asked, Query()],
    keyed: Annotated[Keyed, Header()],
) -> Response:
    """Judge one part. A picture that cannot be judged is 200 with the verdict ERROR, and is recorded as well.

    The body is the picture itself, or multipart with a field `image`. `Idempotency-Key` makes a repeated call safe:
    the same picture gets the same answer.
    """
    name, data = await _picture(request)
    judging = await served(station, recipe, asked.version)
    ticket = Ticket(name, "api", who.name, asked.serial, asked.group, asked.trigger, keyed.idempotency_key)
    part = Part(judging, data, ticket, SOON)
    if ticket.idempotency is not None:
        before = repeated(station.store.read, judging.recipe.id, ticket.idempotency, part.sha256)
        if before is not None:
            return _told(to_json(Named(station).inspection(before, detail=asked.detail)))
    answer = _Answer(_named(station, judging), asked.detail)
    row, recorded = await verdict(station, part, answer.foresee)
    return _told(answer.of(row, recorded=recorded))


class _Answer:
    """The answer for a part: it is made while the disk takes its row, and then has only to be sent."""

    def __init__(self, named: Named, detail: Detail) -> None:
        self._named, self._detail = named, detail
        self._row: Inspection | None = None
        self._made = b""

    def foresee(self, row: Inspection) -> None:
        """Make it for a row that is likely to be recorded."""
        self._made, self._row = self.of(row, recorded=True), row

    def of(self, row: Inspection, *, recorded: bool) -> bytes:
        if recorded and row is self._row:
            return self._made
        return to_json(self._named.inspection(row, recorded=recorded, detail=self._detail))


def _told(answer: bytes) -> Response:
    return Response(answer, media_type="application/json")


@router.post(
    "/recipes/{recipe}/inspections:batch",
    responses={
        200: {"description": "One answer a line, in order.", "content": {"application/x-ndjson": {}}},
        **documented("unknown-recipe", "unknown-id", "not-on-line", "wrong-media", "not-ready"),
    },
    response_class=StreamingResponse,
    openapi_extra=_BATCH,
)
async def inspect_batch(
    recipe: str,
    request: Request,
    station: At,
    who: Who,
    version: Annotated[str | None, Query(max_length=64)] = None,
    detail: Detail = "regions",
    kind: Literal["batch", "try"] = "batch",
) -> StreamingResponse:
    """Judge up to 64 pictures, after parts that come singly; answers one line each, in their order.

    A batch has no deadline: it is for people and for archives, which wait; a line does not. Its parts are not counted
    among the line's. With kind=try, the history calls them try-outs, as those of the page of a version.
    """
    pictures = await _pictures(request)
    judging = await served(station, recipe, version)
    tickets = [(Ticket(name, kind, who.name), data) for name, data in pictures]
    return StreamingResponse(_lines(station, judging, tickets, detail), media_type="application/x-ndjson")


async def _lines(
    station: Station, judging: Served, tickets: list[tuple[Ticket, bytes]], detail: Detail
) -> AsyncIterator[str]:
    named = _named(station, judging)
    parts = [Part(judging, data, ticket, REST) for ticket, data in tickets]
    waiting = [asyncio.ensure_future(verdict(station, part)) for part in parts]
    for each in waiting:
        row, recorded = await each
        yield json.dumps(named.inspection(row, recorded=recorded, detail=detail), ensure_ascii=False) + "\n"


async def served(station: Station, recipe: str, version: str | None) -> Served:
    """What judges; loading it does not stop other calls. Raises Problem."""
    if version is not None:
        return await asyncio.to_thread(station.registry.version_named, recipe, version)
    ready = station.registry.ready(recipe)
    return await asyncio.to_thread(station.registry.take, recipe) if ready is None else ready


async def verdict(
    station: Station, part: Part, foresee: Callable[[Inspection], None] | None = None
) -> tuple[Inspection, bool]:
    """The row of a part and whether it is on the disk; it is not waited for longer than the settings say.

    `foresee` is called with the row before, when it waits for the disk alone.
    """
    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    if foresee is not None:
        part.foresee = partial(_soon, loop, foresee)
    answer = station.inspectors.submit(part)
    answer.add_done_callback(lambda _: _soon(loop, woken.set))
    if len(part.data) <= SMALL:
        part.sha256  # noqa: B018 - reckoned here while it is inspected there
    wait = patience = station.settings.record_within_ms / 1000
    while wait > 0 and not answer.done():
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await woken.wait()
        wait = min(patience, patience - part.unrecorded)
    if not answer.done():
        assert part.row is not None, "it has waited since its verdict"
        return _unrecorded(part, part.row), False
    row, recorded = answer.result()
    return (row, True) if recorded else (_unrecorded(part, row), False)


def _soon(loop: asyncio.AbstractEventLoop, do: Callable[..., None], *values: Any) -> None:
    with suppress(RuntimeError):  # the loop has ended: nobody waits any more
        loop.call_soon_threadsafe(do, *values)


def _unrecorded(part: Part, row: Inspection) -> Inspection:
    """The verdict; ERROR where the recipe does not take one that is not recorded."""
    if not part.served.recipe.settings.require_record:
        return row
    return replace(row, verdict="ERROR", error="The verdict could not be recorded, which this recipe requires.")


def _named(station: Station, judging: Served) -> Named:
    named = Named(station)
    named.know(judging.recipe, judging.version)
    return named


async def _picture(request: Request) -> tuple[str, bytes]:
    """The name and the bytes of the picture in a call."""
    kind = request.headers.get("content-type", "").lower()
    if kind.startswith(RAW):
        return "picture", await request.body()
    if not kind.startswith("multipart/form-data"):
        raise Problem("wrong-media", f"Send a picture (image/png) or multipart/form-data, not {kind[:80]!r}.")
    async with request.form(max_files=1, max_fields=8) as form:
        sent = form.get("image")
        if not isinstance(sent, UploadFile):
            raise Problem("invalid", "The form has no file named image.", errors=[{"pointer": "/image"}])
        return _name(sent), await sent.read()


async def _pictures(request: Request) -> list[tuple[str, bytes]]:
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Problem("wrong-media", "Send the pictures as multipart/form-data, each as a file named images.")
    async with request.form(max_files=MOST, max_fields=8) as form:
        files = [each for each in form.getlist("images") if isinstance(each, UploadFile)]
        if not files:
            raise Problem("invalid", "The form has no files named images.", errors=[{"pointer": "/images"}])
        return [(_name(each), await each.read()) for each in files]


def _name(sent: UploadFile) -> str:
    """The name of a file as text: it is never used as a path."""
    return "".join(c for c in (sent.filename or "picture") if c.isprintable())[:200] or "picture"
