"""What happens, as server-sent events without an end: all of it, or of one job."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse

from blemish.service.api.answers import API
from blemish.service.api.depends import At, admitted, documented, route_needs
from blemish.service.problems import Problem
from blemish.service.station import Station
from blemish.service.store.jobs import ENDED, find_job

__all__ = ["router"]

router = APIRouter(tags=["events"], prefix=API)
ADMITTED_SECONDS = 10.0
"""How long a stream goes on before its caller is looked at again."""
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events, whose data is JSON.", "content": {"text/event-stream": {}}}
}
"""Without a schema: OpenAPI 3.1 has none for the events of a stream, only for the whole of it."""


@router.get("/events", response_class=StreamingResponse, responses=STREAM)
async def events(
    request: Request, station: At, last_event_id: Annotated[str | None, Header(pattern=r"^\d{1,18}$")] = None
) -> StreamingResponse:
    """What happens: inspection, job, version, recipe, label. Goes on after Last-Event-ID; `missed` says: look again.

    It ends within half a minute where the caller's token or session does.
    """
    after = int(last_event_id) if last_event_id else None
    return _stream(_while_admitted(station, request, station.events.listen(after)))


@router.get("/jobs/{job}/events", response_class=StreamingResponse, responses={**STREAM, **documented("unknown-id")})
async def of_job(job: str, request: Request, station: At) -> StreamingResponse:
    """Where a job is, from now on; the stream ends with the job."""
    await asyncio.to_thread(lambda: find_job(station.store.read, job))
    said = _while_admitted(station, request, station.events.listen(None))
    return _stream(_of_job(station, job, said))


def _stream(said: AsyncIterator[str]) -> StreamingResponse:
    return StreamingResponse(said, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _while_admitted(station: Station, request: Request, said: AsyncIterator[str]) -> AsyncIterator[str]:
    """What is said, as long as the caller may hear it."""
    needs, looked = route_needs(request), time.monotonic()
    async for text in said:
        if time.monotonic() - looked > ADMITTED_SECONDS:
            try:
                await asyncio.to_thread(admitted, station, needs, request)
            except Problem:
                return
            looked = time.monotonic()
        yield text


async def _of_job(station: Station, id: str, said: AsyncIterator[str]) -> AsyncIterator[str]:
    """Of what is said, that which concerns a job; first where it is now, as it may have ended already."""
    yield await anext(aiter(said))  # from now on nothing is missed
    while True:
        job = await asyncio.to_thread(lambda: find_job(station.store.read, id))
        shown = await asyncio.to_thread(station.shown, job)
        yield f"event: job\ndata: {json.dumps(shown, ensure_ascii=False)}\n\n"
        if job.state in ENDED:
            return
        async for text in said:
            kind, _, data = text.partition("data: ")
            if kind.endswith("event: job\n") and json.loads(data)["id"] == id:
                break
            if not kind.startswith("id: "):  # a sign of life
                yield text
        else:
            return
