"""Every route times every role, walked; and the calls of other sites, hosts and sizes."""

import itertools
import re
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from station_bench import API, Bench, opened

from blemish.service.api import following
from blemish.service.api.app import routes_of
from blemish.service.pages.routes import ACCESS as PAGES
from blemish.service.people.access import ACCESS, ROLES, SCOPES, Needs
from blemish.service.store.users import add_token
from blemish.service.work import events

MAY = {
    Needs.LOGIN: {*ROLES, *SCOPES},
    Needs.INSPECT: {"operator", "engineer", "inspect", "admin"},
    Needs.VIEW: {"viewer", "operator", "engineer", "read", "admin"},
    Needs.REVIEW: {"operator", "engineer", "admin"},
    Needs.TEACH: {"engineer", "admin"},
}
"""Written here again: the table of the station is what is tested."""
ENDLESS = f"{API}/events"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with opened(tmp_path_factory.mktemp("station")) as bench:
        yield bench


def test_every_route_is_in_the_table_and_nothing_else_is(bench: Bench) -> None:
    assert routes_of(bench.app) == {*ACCESS, *PAGES}


def test_every_route_lets_those_pass_that_may_and_no_others(bench: Bench) -> None:
    callers = {role: bench.with_role(role) for role in ROLES} | {scope: bench.with_token(scope) for scope in SCOPES}
    nobody = bench.client()
    for (method, path), needs in {**ACCESS, **PAGES}.items():
        address = re.sub(r"\{\w+\}", "x", path)
        if address == ENDLESS:
            continue  # its own test: it never ends
        if needs is not Needs.NOTHING:
            answer = nobody.request(method, address, follow_redirects=False)
            assert answer.status_code == (401 if address.startswith(("/api/", "/v2")) else 303), (method, path)
        for grant, client in callers.items():
            if address.endswith("/logout"):
                continue  # it would end the session of those that follow
            status = client.request(method, address, follow_redirects=False).status_code
            passed = needs is Needs.NOTHING or grant in MAY[needs]
            assert (status in (401, 403)) is not passed or "/login" in path, (method, path, grant, status)
            assert status < 500, (method, path, grant)


def test_the_stream_of_events_is_for_those_who_may_see(bench: Bench) -> None:
    assert bench.client().get(ENDLESS).status_code == 401
    assert bench.with_token("inspect").get(ENDLESS).status_code == 403


def test_a_wrong_token_is_refused_even_where_a_session_would_do(bench: Bench) -> None:
    client = bench.with_role("engineer")
    answer = client.get(f"{API}/me", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert client.get(f"{API}/me", headers={"Authorization": "Basic eDp4"}).status_code == 401


def test_a_token_that_was_revoked_is_refused_from_the_next_call_on(bench: Bench) -> None:
    made = bench.admin.post(f"{API}/tokens", json={"name": "camera 1", "scope": "read"}).json()
    client = bench.client(Authorization=f"Bearer {made['secret']}")
    assert client.get(f"{API}/recipes").status_code == 200
    assert bench.admin.delete(f"{API}/tokens/{made['id']}").status_code == 204
    assert client.get(f"{API}/recipes").status_code == 401
    assert made["secret"] not in bench.admin.get(f"{API}/tokens").text
    assert made["secret"] not in bench.admin.get(f"{API}/audit").text


def test_a_token_is_remembered_until_a_change_of_it_has_ended(bench: Bench) -> None:
    store = bench.station.store
    made = store.write(lambda connection: add_token(connection, "test", name="camera 2", scope="read"))
    seen: list[object] = []

    def look() -> None:
        row = store.tokens.row(store.read, made["secret"])
        seen.append(row and row["scope"])

    def change(connection: sqlite3.Connection, scope: str, *, broken: bool) -> None:
        connection.execute("UPDATE token SET scope = ? WHERE id = ?", [scope, made["id"]])
        other = threading.Thread(target=look)  # it sees what was before, which must not be remembered
        other.start()
        other.join()
        if broken:
            raise ValueError("undone")

    look()
    store.write(lambda connection: change(connection, "inspect", broken=False))
    look()
    with pytest.raises(ValueError, match="undone"):
        store.write(lambda connection: change(connection, "admin", broken=True))
    look()
    store.write(lambda connection: connection.execute("DELETE FROM token WHERE id = ?", [made["id"]]).rowcount)
    look()
    assert seen == ["read", "read", "inspect", "inspect", "inspect", None]


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:81"},
    ],
    ids=str,
)
def test_another_site_cannot_change_anything(bench: Bench, headers: dict[str, str]) -> None:
    client = bench.with_role("engineer")
    answer = client.post(f"{API}/recipes", json={"name": "stolen"}, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["type"] == "/errors/cross-site"
    assert bench.admin.get(f"{API}/recipes/stolen").status_code == 404


@pytest.mark.parametrize("host", ["elsewhere.example", "localhost.elsewhere.example", "", "127.0.0.1.example:80"])
def test_only_known_host_names_are_answered(bench: Bench, host: str) -> None:
    answer = bench.client().get(f"{API}/live", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.json()["type"] == "/errors/wrong-host"
    assert bench.client().get(f"{API}/live", headers={"Host": "127.0.0.1:8765"}).status_code == 200


@pytest.mark.parametrize(
    ("listens", "host", "status"),
    [
        ("0.0.0.0", "192.168.1.20:8765", 200),
        ("::", "[fe80::1]:8765", 200),
        ("10.1.2.3", "10.1.2.3", 200),
        ("station.example", "Station.example:8765", 200),
        ("0.0.0.0", "station.example", 400),
        ("127.0.0.1", "192.168.1.20", 400),
    ],
)
def test_a_station_for_others_is_called_by_its_number(tmp_path: Path, listens: str, host: str, status: int) -> None:
    with opened(tmp_path, host=listens) as bench:
        assert bench.client().get(f"{API}/live", headers={"Host": host}).status_code == status


def test_every_answer_carries_the_headers_that_bind_a_browser(bench: Bench) -> None:
    for path in ("/login", f"{API}/live", f"{API}/recipes", "/errors/busy", "/nowhere"):
        headers = bench.client().get(path).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"], path
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Request-Id"]


def test_bodies_are_bounded_whether_they_say_their_length_or_not(tmp_path: Path) -> None:
    with opened(tmp_path, max_body_mb=1) as bench:
        said = bench.admin.post(f"{API}/recipes", content=b"x" * 1_000_001)
        unsaid = bench.admin.post(f"{API}/recipes", content=(b"x" * 100_000 for _ in range(11)))
    for answer in (said, unsaid):
        assert answer.status_code == 413
        assert answer.json()["type"] == "/errors/too-large"


def test_passwords_log_in_and_five_wrong_tries_wait(bench: Bench) -> None:
    user = {"name": "Aiko", "role": "operator", "password": "long enough"}
    assert bench.admin.post(f"{API}/users", json=user | {"password": "short"}).status_code == 422
    assert bench.admin.post(f"{API}/users", json=user).status_code == 201
    client = bench.client()
    answer = client.post(f"{API}/login", json={"name": "aiko", "password": "long enough"})
    assert answer.status_code == 200
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert client.get(f"{API}/me").json()["grant"] == "operator"
    before = client.cookies["blemish_session"]
    client.post(f"{API}/login", json={"name": "Aiko", "password": "long enough"})
    assert client.cookies["blemish_session"] != before, "each login has a session of its own"
    assert client.post(f"{API}/logout").status_code == 204
    statuses = [
        bench.client().post(f"{API}/login", json={"name": "Aiko", "password": f"wrong {n}"}).status_code
        for n in range(6)
    ]
    assert statuses == [401] * 5 + [429]
    right = bench.client().post(f"{API}/login", json={"name": "Aiko", "password": "long enough"})
    assert right.status_code == 429
    assert right.headers["Retry-After"]


def test_many_wrong_tries_at_once_are_as_few_as_many_in_a_row(tmp_path: Path) -> None:
    with opened(tmp_path) as bench, ThreadPoolExecutor(30) as threads:
        client = bench.client()
        tried = list(
            threads.map(
                lambda n: client.post(f"{API}/login", json={"name": "nobody", "password": f"wrong {n}"}).status_code,
                range(30),
            )
        )
        assert sorted(tried) == [401] * 5 + [429] * 25
        told = [row["what"] for row in bench.admin.get(f"{API}/audit").json()["items"]]
        assert told.count("login.failed") == 5


def test_a_stream_ends_with_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "ADMITTED_SECONDS", 0.0)
    monkeypatch.setattr(events, "SILENCE", 0.05)
    with opened(tmp_path) as bench:
        made = bench.admin.post(f"{API}/tokens", json={"name": "screen", "scope": "read"}).json()
        with bench.client(Authorization=f"Bearer {made['secret']}").stream("GET", ENDLESS) as stream:
            lines = stream.iter_lines()
            next(lines)
            bench.admin.delete(f"{API}/tokens/{made['id']}")
            assert sum(1 for _ in itertools.islice(lines, 1000)) < 1000, "it has an end"


def test_the_login_link_works_once(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        link = f"/login/once?secret={bench.station.once}"
        client = bench.client()
        assert client.get("/login/once?secret=guess", follow_redirects=False).status_code == 401
        assert client.get(link, follow_redirects=False).status_code == 303
        assert client.get(f"{API}/me").json()["grant"] == "engineer"
        again = bench.client().get(link, follow_redirects=False)
        assert again.status_code == 401
        assert "Set-Cookie" not in again.headers


def test_the_last_engineer_stays(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        made = bench.admin.post(f"{API}/users", json={"name": "E", "role": "engineer", "password": "long enough"})
        path = f"{API}/users/{made.json()['id']}"
        assert bench.admin.delete(path).status_code == 409
        assert bench.admin.patch(path, json={"role": "viewer"}).status_code == 409


def test_next_leads_nowhere_else(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        bench.admin.post(f"{API}/users", json={"name": "Ken", "role": "viewer", "password": "long enough"})
        for address in ("//elsewhere.example", "/\\elsewhere.example", "https://elsewhere.example"):
            form = {"name": "Ken", "password": "long enough", "next": address}
            answer = bench.client().post("/login", data=form)
            assert answer.headers["Location"] == "/"


def test_the_audit_log_names_who_logged_in(bench: Bench) -> None:
    """It gave their id, which no page shows."""
    secret = bench.station.new_login_link()
    assert bench.client().get(f"/login/once?secret={secret}").status_code == 303
    row = bench.admin.get(f"{API}/audit", params={"limit": 1}).json()["items"][0]
    assert (row["who"], row["what"], row["about"]) == ("engineer", "login", "engineer")
