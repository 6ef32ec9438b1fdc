"""Whoever may not make a call is told so by its head: nothing of the body is waited for, and who sends it sees why."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from parts import good_part
from station_bench import API, Bench, encoded, opened

from blemish.service.pages.routes import ACCESS as PAGES
from blemish.service.people.access import ACCESS, Needs

WITH_BODY = sorted(
    (method, path)
    for (method, path), needs in {**ACCESS, **PAGES}.items()
    if method != "GET" and needs is not Needs.NOTHING
)
KINDS = ("multipart/form-data; boundary=x", "application/json", "image/png")
PATIENCE = 10.0
"""Seconds, of the 30 that the station waits for a body."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Bench]:
    with opened(tmp_path_factory.mktemp("station") / "data") as bench:
        bench.taught("part", model)
        yield bench


def _answered(bench: Bench, method: str, path: str, *headers: str) -> bytes:
    """What is answered to the head of a call whose body does not come."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Content-Length: 1000000", *headers]
    with socket.create_connection(("127.0.0.1", bench.port), timeout=PATIENCE) as line:
        line.sendall("\r\n".join([*lines, "", ""]).encode())
        said = b""
        while b"request_id" not in said and (more := line.recv(1 << 16)):
            said += more
        return said


def _address(path: str) -> str:
    for name in ("recipe", "version", "inspection", "sha256", "golden", "job", "user", "token"):
        path = path.replace(f"{{{name}}}", "part" if name == "recipe" else "1")
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_a_wrong_token_is_refused_before_the_body_comes(bench: Bench, method: str, path: str, kind: str) -> None:
    """Forms of 64 MB were read, and kept on the disk, before anybody asked who sends them."""
    said = _answered(bench, method, _address(path), f"Content-Type: {kind}", "Authorization: Bearer wrong")
    assert said.startswith(b"HTTP/1.1 401 ")
    assert b"This token is not in force" in said
    assert b"\r\nwww-authenticate: bearer\r\n" in said.lower()


@pytest.mark.parametrize("token", ["", "wrong", "inspect"])
@pytest.mark.parametrize("path", [f"{API}/recipes/part/images", f"{API}/recipes"])
def test_so_are_those_without_a_token_or_with_one_for_something_else(bench: Bench, path: str, token: str) -> None:
    secret = {"inspect": bench.with_token("inspect").headers["Authorization"], "wrong": "Bearer wrong"}.get(token)
    headers = [f"Content-Type: {KINDS[0]}", *([f"Authorization: {secret}"] if secret else [])]
    said = _answered(bench, "POST", path, *headers)
    assert said.startswith(b"HTTP/1.1 403 " if token == "inspect" else b"HTTP/1.1 401 ")


def test_who_asks_before_sending_is_not_told_to_send(bench: Bench) -> None:
    headers = (f"Content-Type: {KINDS[0]}", "Expect: 100-continue", "Authorization: Bearer wrong")
    assert _answered(bench, "POST", f"{API}/recipes/part/images", *headers).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("token", ["Bearer wrong", None])
def test_who_sends_all_of_a_large_form_sees_why_it_was_refused(bench: Bench, token: str | None) -> None:
    client = bench.client(**({"Authorization": token} if token else {}))
    files = [("images", (f"{number}.png", bytes(1 << 20))) for number in range(20)]
    answer = client.post(f"{API}/recipes/part/images", files=files)
    assert (answer.status_code, answer.json()["type"]) == (401, "/errors/unauthenticated")


def test_who_may_sends_as_before(bench: Bench) -> None:
    files = [("images", ("1.png", encoded(good_part(1)), "image/png"))]
    for client in (bench.admin, bench.with_role("engineer")):
        assert client.post(f"{API}/recipes/part/images", files=files).status_code == 200
