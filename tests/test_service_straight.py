"""The way of a line's calls past FastAPI leads where FastAPI's own leads; and what follows an answer is done."""

import asyncio
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from parts import good_part
from station_bench import API, Bench, encoded, opened

from blemish.service.api.guard import Guard
from blemish.service.settings import StationSettings
from blemish.service.station import Station
from blemish.service.work.afterwards import Afterwards
from blemish.service.work.part import Part, Ticket

PATH = f"{API}/recipes/part/inspections"
PNG = {"Content-Type": "image/png"}
LONG = "x" * 201
CALLS: dict[str, dict[str, Any]] = {
    "a picture": {},
    "a form": {"headers": {}, "content": None, "files": {"image": ("a.png", encoded(good_part(3)))}},
    "all that can be said": {
        "params": {"serial": "S 1", "group": "g", "trigger": "7", "version": "1", "detail": "full"}
    },
    "an empty value": {"params": {"serial": ""}},
    "a value twice": {"params": [("detail", "wrong"), ("detail", "verdict")]},
    "an unknown value": {"params": {"colour": "red"}},
    "a long value": {"params": {"serial": LONG, "version": LONG}},
    "a wrong detail": {"params": {"detail": "all"}},
    "a key": {"headers": PNG | {"Idempotency-Key": "one"}},
    "a key with another picture": {"headers": PNG | {"Idempotency-Key": "one"}, "content": encoded(good_part(8))},
    "a long key": {"headers": PNG | {"Idempotency-Key": LONG}, "params": {"detail": "all"}},
    "no picture": {"content": b"none"},
    "another kind of body": {"headers": {"Content-Type": "text/plain"}},
    "no kind of body": {"headers": {}},
    "a form without a picture": {"headers": {}, "content": None, "files": {"other": b"x"}},
    "a broken form": {"headers": {"Content-Type": "multipart/form-data; boundary=x"}, "content": b"--y\r\n"},
    "a form without a boundary": {"headers": {"Content-Type": "multipart/form-data"}},
    "an unknown recipe": {"url": f"{API}/recipes/none/inspections"},
    "an unknown version": {"params": {"version": "99"}},
    "half a character": {"params": "serial=%ed%a0%80"},
    "another method": {"method": "GET"},
    "a slash more": {"url": f"{PATH}/"},
    "a line more": {"url": f"{PATH}%0A"},
    "no token": {"token": None},
    "a wrong token": {"token": "Bearer wrong"},
    "another site": {"token": None, "headers": PNG | {"Origin": "http://elsewhere.example"}},
    "another host": {"headers": PNG | {"Host": "elsewhere.example"}},
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Bench]:
    with opened(tmp_path_factory.mktemp("station")) as bench:
        bench.taught("part", model)
        yield bench


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_is_answered_as_fastapi_answers_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, call: dict[str, Any]
) -> None:
    straight = _comparable(asyncio.run(_answer(bench, **call)))
    monkeypatch.setattr(bench.app, "middleware_stack", Guard(bench.app.build_middleware_stack(), StationSettings()))
    assert straight == _comparable(asyncio.run(_answer(bench, **call)))


async def _answer(bench: Bench, *, token: str | None = "ours", **call: Any) -> httpx.Response:
    given = {"method": "POST", "url": PATH, "headers": PNG, "content": encoded(good_part(3)), **call}
    said = bench.admin.headers["Authorization"] if token == "ours" else token
    given["headers"] = given["headers"] | ({} if said is None else {"Authorization": said})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(bench.app), base_url="http://localhost") as client:
        return await client.request(**given)


def _comparable(answer: httpx.Response) -> tuple[int, dict[str, str], Any]:
    """An answer without what differs from call to call."""
    ours = ("id", "seq", "at", "timings_ms", "links", "image", "request_id")
    headers = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "content-length")}
    if "json" not in headers.get("content-type", ""):
        return answer.status_code, headers, answer.text
    return answer.status_code, headers, {name: value for name, value in answer.json().items() if name not in ours}


def test_the_call_is_described_with_all_that_it_takes(bench: Bench) -> None:
    described = bench.admin.get(f"{API}/openapi.json").json()["paths"][f"{API}/recipes/{{recipe}}/inspections"]["post"]
    found = {(each["name"], each["in"]) for each in described["parameters"]}
    query = {(name, "query") for name in ("serial", "group", "trigger", "version", "detail")}
    assert found == query | {("recipe", "path"), ("idempotency-key", "header")}


@pytest.mark.parametrize("upgrade", ["h2c", "websocket"])
def test_a_caller_that_would_rather_speak_another_protocol_is_answered_in_this_one(bench: Bench, upgrade: str) -> None:
    data = encoded(good_part(3))
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bench.admin.headers['Authorization']}\r\n"
        f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
        f"Content-Type: image/png\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", bench.port), timeout=30) as line:
        for _ in range(2):  # the second over the same connection
            line.sendall(head.encode() + data)
            with line.makefile("rb") as answers:
                said = answers.readline()
                length = 0
                while (header := answers.readline()) != b"\r\n":
                    if found := re.match(rb"(?i)content-length: (\d+)", header):
                        length = int(found[1])
                assert b" 200 " in said
                assert b'"verdict"' in answers.read(length)


def test_what_follows_an_answer_is_done_in_order_and_a_mistake_in_it_ends_nothing() -> None:
    done: list[int] = []
    afterwards = Afterwards()
    afterwards.add(lambda: done.append(1))
    afterwards.add(lambda: done.append(1 // 0))
    afterwards.add(lambda: done.append(2))
    afterwards.flush()
    assert done == [1, 2]
    afterwards.add(lambda: done.append(3))
    afterwards.close()
    assert done == [1, 2, 3]


def test_a_part_that_is_judged_while_the_station_stops_keeps_its_row_and_its_picture(
    tmp_path: Path, model: Path
) -> None:
    with opened(tmp_path) as bench:
        bench.taught("part", model)
        station = bench.station
        station.store.submit(lambda _: time.sleep(0.3))  # the row has to wait, as on a slow disk
        data = encoded(good_part(3))
        answer = station.inspectors.submit(Part(station.registry.take("part"), data, Ticket("late", "api", "test")))
    row, recorded = answer.result(timeout=0)
    assert recorded
    again = Station(tmp_path, StationSettings())
    try:
        assert again.store.lost == []
        stored = again.store.read.execute("SELECT image_state FROM inspection WHERE id = ?", [row.id]).fetchone()
        assert stored["image_state"] == "stored"
    finally:
        again.close()
