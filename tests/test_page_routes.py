"""Every page as every role, in both languages, with names that hold markup: whole, without a style or script inline."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import pytest
from parts import scratched_part
from station_bench import put_on_line

from blemish.service.pages.histogram import histogram
from blemish.service.pages.routes import ACCESS
from blemish.service.pages.said import GONE
from blemish.service.people.access import COOKIE, ROLES, Needs
from blemish.service.people.passwords import hashed
from blemish.service.problems import Problem
from blemish.service.serving import application
from blemish.service.settings import StationSettings
from blemish.service.station import Station
from blemish.service.store.users import add_session, add_user

HOSTILE = "<img src=x onerror=alert(1)>"
PASSWORD = "a long password"
MAY = {Needs.VIEW: 0, Needs.LOGIN: 0, Needs.REVIEW: 1, Needs.TEACH: 2}


class Visitor:
    """A browser without scripts, before the application itself; `user` is logged in."""

    def __init__(self, station: Station, user: str | None = None, **headers: str) -> None:
        self.station, self._app, self._headers = station, application(station), headers
        self._cookies = {COOKIE: station.store.write(lambda each: add_session(each, user))} if user else {}

    def __call__(self, method: str, path: str, **sent: Any) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            headers, cookies = self._headers, self._cookies
            address = "http://127.0.0.1"
            async with httpx.AsyncClient(
                transport=transport, base_url=address, headers=headers, cookies=cookies
            ) as client:
                return await client.request(method, path, **sent)

        return asyncio.run(call())


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    opened = Station(tmp_path_factory.mktemp("station"), StationSettings())
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def users(station: Station) -> dict[str, str]:
    """Ids of users by role and language."""
    password = hashed(PASSWORD)

    def made(name: str) -> str:
        role, lang = name.split("-")
        values = {"name": name, "role": role, "lang": lang, "password": password}
        return str(station.store.write(lambda each: add_user(each, "test", **values))["id"])

    return {name: made(name) for name in (f"{role}-{lang}" for role in ROLES for lang in ("en", "ja"))}


@pytest.fixture(scope="module")
def engineer(station: Station, users: dict[str, str]) -> Visitor:
    visitor = Visitor(station, users["engineer-en"])
    assert visitor("POST", "/api/v1/recipes", json={"name": "part", "title": HOSTILE}).status_code == 201
    return visitor


@pytest.fixture(scope="module")
def judged(engineer: Visitor, model: Path) -> str:
    """The id of a part that the recipe `part` has judged NG."""
    put_on_line(engineer.station, "part", model)
    recipe = engineer("GET", "/api/v1/recipes/part")
    slow = {"settings": {"deadline_ms": 600_000}}
    assert engineer("PATCH", "/api/v1/recipes/part", json=slow, headers={"If-Match": recipe.headers["etag"]}).is_success
    picture = cv2.imencode(".png", scratched_part(102).grey)[1].tobytes()
    files = {"image": (f"{HOSTILE}.png", picture, "image/png")}
    told = engineer("POST", "/api/v1/recipes/part/inspections", params={"serial": HOSTILE}, files=files).json()
    assert told["verdict"] == "NG", told
    return str(told["id"])


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("role", ROLES)
def test_every_page_opens_for_those_who_may(
    station: Station, users: dict[str, str], judged: str, role: str, lang: str
) -> None:
    visit = Visitor(station, users[f"{role}-{lang}"])
    for (method, path), needs in ACCESS.items():
        if method != "GET" or needs is Needs.NOTHING or path == "/sentence":
            continue
        for name, value in {"{recipe}": "part", "{version}": "1", "{inspection}": judged}.items():
            path = path.replace(name, value)
        answer = visit("GET", path)
        assert answer.status_code == (200 if ROLES.index(role) >= MAY[needs] else 403), path
        if answer.is_success:
            _check_page(answer.text, path, lang)


def _check_page(text: str, path: str, lang: str) -> None:
    assert HOSTILE not in text, path
    tags = re.findall(r"<[a-z][^>]*>", text)
    named = [re.sub(r'"[^"]*"', '""', tag) for tag in tags]
    assert not [tag for tag in named if re.search(r"\s(style|on[a-z]+)=", tag) or tag.startswith("<style")], path
    assert all("src=" in tag or "application/json" in tag for tag in tags if tag.startswith("<script")), path
    assert path == "/line" or f'<html lang="{lang}">' in text, path


def test_a_part_called_good_is_collected_and_leaves_the_review(engineer: Visitor, judged: str) -> None:
    assert judged in engineer("GET", "/review").text
    assert judged not in engineer("GET", "/recipes/part/correct").text
    engineer("PUT", f"/api/v1/inspections/{judged}/label", json={"label": "good"})
    assert judged not in engineer("GET", "/review").text
    assert judged in engineer("GET", "/recipes/part/correct").text
    assert "Good after all</li>" in engineer("GET", f"/results/{judged}").text.replace("\n", "")
    engineer("DELETE", f"/api/v1/inspections/{judged}/label")
    assert judged in engineer("GET", "/review").text


def test_a_golden_picture_is_made_and_taken_back_by_the_pages(
    station: Station, engineer: Visitor, users: dict[str, str], judged: str
) -> None:
    station.flush()
    page = engineer("GET", f"/results/{judged}").text
    action = re.search(r'action="([^"]+/golden)"', page)
    assert action, "an engineer may make it a golden picture"
    assert "/golden" not in Visitor(station, users["operator-en"])("GET", f"/results/{judged}").text
    form = {"inspection": judged, "expected": "NG"}
    assert engineer("POST", action[1], json=form).status_code == 201
    assert "must judge it NG" in engineer("GET", f"/results/{judged}").text
    shown = engineer("GET", "/recipes/part/correct").text
    assert "must never be OK" in shown
    taken = re.search(r'method="DELETE" action="([^"]+/golden/[^"]+)"', shown)
    assert taken
    assert engineer("DELETE", taken[1]).status_code == 204
    assert "/golden/" not in engineer("GET", "/recipes/part/correct").text


@pytest.mark.parametrize("state", sorted(GONE))
def test_a_picture_that_is_gone_is_not_asked_for(engineer: Visitor, judged: str, state: str) -> None:
    before = engineer("GET", f"/results/{judged}").text
    assert f"{judged}/image" in before
    assert "/nearest/" not in before, "this model was taught elsewhere"
    assert "The nearest good picture is not kept here" in before
    engineer.station.flush()
    _set_image_state(engineer.station, judged, state)
    page = engineer("GET", f"/results/{judged}").text
    _set_image_state(engineer.station, judged, "stored")
    assert GONE[state] in page
    assert not re.findall(rf'"[^"]*{judged}/(?:image|overlay|nearest)[^"]*"', page)


def _set_image_state(station: Station, id: str, state: str) -> None:
    change = "UPDATE inspection SET image_state = ? WHERE id = ?"
    station.store.write(lambda connection: connection.execute(change, [state, id]))


@pytest.mark.parametrize(
    "sentence",
    [
        str(Problem("busy", "3 parts wait, so this one would come after its deadline; repeat the call.")),
        "part has no version on line; teach it, then promote one.",
        "'x' was changed in the meantime; read it again.",
        "Name or password is wrong.",
        "The job broke off: no room; the log says more.",
    ],
    ids=lambda text: text[:30],
)
def test_what_cannot_be_done_is_said_in_japanese(station: Station, users: dict[str, str], sentence: str) -> None:
    said = Visitor(station, users["viewer-ja"])("GET", "/sentence", params={"text": sentence}).text
    assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", said)


def test_who_is_not_logged_in_is_sent_to_the_way_in(station: Station) -> None:
    visit = Visitor(station, **{"Accept-Language": "ja,en;q=0.5"})
    answer = visit("GET", "/history")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/history")
    assert "ログイン" in visit("GET", "/login").text


def test_the_way_in_leads_to_no_other_site(station: Station, users: dict[str, str]) -> None:
    for asked, led in (("//evil.example", "/"), ("https://evil.example", "/"), ("/\\evil.example", "/"), ("/a", "/a")):
        form = {"name": "viewer-en", "password": PASSWORD, "next": asked}
        answer = Visitor(station)("POST", "/login", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, led)
    wrong = Visitor(station)("POST", "/login", data={"name": "viewer-en", "password": "no"})
    assert wrong.status_code == 401
    assert "Name or password is wrong." in wrong.text


def test_a_login_link_that_was_used_says_so_on_a_page(station: Station) -> None:
    answer = Visitor(station)("GET", "/login/once?secret=used")
    assert answer.status_code == 401
    assert "This link was used already" in answer.text


def test_a_filter_that_cannot_be_read_is_said_on_the_page(engineer: Visitor) -> None:
    for wrong in ("since=yesterday", "min_score=many", "recipe=none"):
        answer = engineer("GET", f"/history?{wrong}")
        assert answer.status_code == 200
        assert 'class="warning" role="alert"' in answer.text
        warnings = answer.text.count('role="alert"')
    right = engineer("GET", "/history?since=2026-01-01T00:00&verdict=NG")
    assert right.text.count('role="alert"') == warnings - 1  # a clone whose scripts are not built says so everywhere


def test_sentences_of_the_station_are_said_in_japanese(station: Station, users: dict[str, str]) -> None:
    asked = {"text": "part.png does not exist; check the path."}
    said = Visitor(station, users["viewer-ja"])("GET", "/sentence", params=asked).text
    assert said == "part.png がありません。パスを確認してください。"


def test_a_clone_without_scripts_says_how_they_are_built(
    engineer: Visitor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("blemish.service.pages.show.STATIC", tmp_path)
    assert "run make page" in engineer("GET", "/").text


def test_a_histogram_shows_every_score_and_the_threshold() -> None:
    drawn = histogram([1.0, 1.0, 2.0, 3.0], 4.0)
    assert drawn is not None
    assert [bar[3] for bar in drawn["bars"]] == [96, 48, 48]
    assert drawn["bars"][-1][0] < drawn["at"] < drawn["wide"]
    assert histogram([], 4.0) is None
    assert histogram([2.0, 2.0], 2.0) is not None
