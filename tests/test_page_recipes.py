"""A recipe is put away and taken back by the pages: by engineers, as the page says it, and with a trace."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from parts import good_part
from station_bench import API, Bench, encoded, opened

GOOD = encoded(good_part(1))
FORM = r'<api-form method="(\w+)" action="([^"]+)" etag="&#34;(\d+)&#34;" then="reload"><form><button[^>]*>'
AWAY, BACK = FORM + "Yes, put it away", FORM + "Take it back"


@pytest.fixture
def bench(tmp_path: Path, model: Path) -> Iterator[Bench]:
    with opened(tmp_path / "data") as bench:
        bench.taught("part", model)
        yield bench


def _press(client: httpx.Client, page: str, form: str) -> httpx.Response:
    """Send a form of a page, as its script does."""
    found = re.search(form, client.get(page).text)
    assert found, f"{page} has no such form"
    method, path, revision = found.groups()
    body = {"state": "open"} if method == "PATCH" else None
    return client.request(method, path, json=body, headers={"If-Match": f'"{revision}"'})


@pytest.mark.parametrize("page", ["/recipes/part/versions", "/recipes/part/teach"])
def test_a_recipe_is_put_away_and_taken_back(bench: Bench, page: str) -> None:
    engineer, viewer = bench.with_role("engineer"), bench.with_role("viewer")
    part = bench.inspect("part", GOOD, serial="S 1")
    assert _press(engineer, page, AWAY).json()["state"] == "archived"
    kind = {"Content-Type": "image/png"}
    assert bench.admin.post(f"{API}/recipes/part/inspections", content=GOOD, headers=kind).status_code == 409
    line = viewer.get("/line").text
    assert "S 1" not in line
    assert "All recipes are put away." in line
    assert f"/results/{part['id']}" in viewer.get("/history?recipe=part").text, "its history stays"
    assert ">version 1</a>" in viewer.get("/recipes/part/versions").text
    for told in ("/recipes/part/versions", "/recipes/part/versions/1", "/recipes/part/compare"):
        assert "This recipe is put away" in viewer.get(told).text
    assert 'class="on-line"' not in viewer.get("/recipes/part/versions").text, "it judges nothing now"
    assert not re.search(AWAY, engineer.get(page).text)
    assert _press(engineer, page, BACK).json()["state"] == "open"
    assert bench.inspect("part", GOOD)["verdict"] == "OK"
    assert "S 1" in viewer.get("/line").text
    shown = viewer.get("/recipes/part/versions").text
    assert ("put away" in shown, 'class="on-line"' in shown) == (False, True)


def test_those_put_away_stand_apart_in_the_list_of_recipes(bench: Bench) -> None:
    engineer = bench.with_role("engineer")
    assert "Put away" not in engineer.get("/recipes").text
    bench.recipe("other")
    _press(engineer, "/recipes/part/versions", AWAY)
    open_, _, away = engineer.get("/recipes").text.partition("Put away: 1")
    assert ("/recipes/part/" in open_, "/recipes/other/" in open_) == (False, True)
    assert ("/recipes/part/" in away, "/recipes/other/" in away) == (True, False)
    assert _press(engineer, "/recipes", BACK).json()["state"] == "open"
    assert "Put away" not in engineer.get("/recipes").text


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_who_does_not_teach_sees_it_and_can_neither_put_away_nor_take_back(bench: Bench, role: str) -> None:
    client, path = bench.with_role(role), f"{API}/recipes/part"
    assert not re.search(AWAY, client.get("/recipes/part/versions").text)
    assert client.delete(path, headers={"If-Match": "*"}).status_code == 403
    assert bench.admin.delete(path, headers={"If-Match": "*"}).status_code == 200
    for page in ("/recipes", "/recipes/part/versions"):
        assert "put away" in client.get(page).text.lower()
        assert "Take it back" not in client.get(page).text
    assert client.patch(path, json={"state": "open"}, headers={"If-Match": "*"}).status_code == 403


def test_a_page_that_is_old_puts_nothing_away(bench: Bench) -> None:
    engineer = bench.with_role("engineer")
    method, path, revision = re.search(AWAY, engineer.get("/recipes/part/versions").text).groups()  # type: ignore[union-attr]
    changed = bench.admin.patch(path, json={"title": "Another part"}, headers={"If-Match": "*"})
    assert changed.status_code == 200
    assert engineer.request(method, path, headers={"If-Match": f'"{revision}"'}).status_code == 412
    assert engineer.request(method, path).status_code == 428
    assert bench.inspect("part", GOOD)["verdict"] == "OK"


def test_the_audit_log_says_who_put_away_and_who_took_back(bench: Bench) -> None:
    engineer = bench.with_role("engineer")
    name = engineer.get(f"{API}/me").json()["name"]
    _press(engineer, "/recipes/part/versions", AWAY)
    _press(engineer, "/recipes", BACK)
    rows = bench.admin.get(f"{API}/audit", params={"limit": 2}).json()["items"]
    told = [(each["who"], each["what"], each["about"], each["after"]) for each in rows]
    assert told == [(name, "recipe.change", "part", {"state": state}) for state in ("open", "archived")]
    assert "archived" in engineer.get("/settings/audit").text


def test_screens_are_told_of_it(bench: Bench) -> None:
    """The tile of a recipe that was put away would stand on a panel until another part is judged."""
    bench.admin.delete(f"{API}/recipes/part", headers={"If-Match": "*"})
    with bench.admin.stream("GET", f"{API}/events", headers={"Last-Event-ID": "1"}) as stream:
        lines = stream.iter_lines()
        assert any(line == "event: missed" for line in lines)
        bench.admin.patch(f"{API}/recipes/part", json={"state": "open"}, headers={"If-Match": "*"})
        assert next(line for line in lines if line == "event: recipe")
        assert '"open"' in next(lines)


def test_it_is_said_in_japanese(bench: Bench) -> None:
    engineer = bench.with_role("engineer")
    assert engineer.patch(f"{API}/me", json={"lang": "ja"}).status_code == 200
    page = engineer.get("/recipes/part/versions").text
    assert "part に送られた画像は受け付けなくなり" in page
    assert "From then on" not in page
    bench.admin.delete(f"{API}/recipes/part", headers={"If-Match": "*"})
    assert "このレシピは使用停止中です" in engineer.get("/recipes/part/versions").text
    assert "使用停止中: 1" in engineer.get("/recipes").text
