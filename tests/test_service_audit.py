"""What an audit of a station found over HTTP: each test failed before its mend."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import pytest
from parts import good_part, scratched_part
from station_bench import API, Bench, encoded, opened

from blemish.service.api.tensors import numbers_apart, read_infer
from blemish.service.problems import Problem

GOOD = encoded(good_part(1))
PNG = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Bench]:
    with opened(tmp_path_factory.mktemp("station") / "data") as bench:
        bench.taught("part", model)
        bench.inspect("part", GOOD, serial="S 1")
        bench.station.flush()
        yield bench


@pytest.fixture(scope="module")
def engineer(bench: Bench) -> httpx.Client:
    return bench.with_role("engineer")


def _pixels(image: Any, **more: Any) -> dict[str, Any]:
    return {"name": "image", "datatype": "UINT8", "shape": list(image.shape), "data": image.ravel().tolist()} | more


def test_a_recipe_that_was_put_away_judges_by_no_version(bench: Bench, model: Path) -> None:
    bench.taught("away", model)
    assert bench.admin.delete(f"{API}/recipes/away", headers={"If-Match": "*"}).status_code == 200
    post = bench.admin.post
    for answer in (
        post(f"{API}/recipes/away/inspections", content=GOOD, headers=PNG),
        post(f"{API}/recipes/away/inspections?version=1", content=GOOD, headers=PNG),
        post(f"{API}/recipes/away/inspections:batch?version=1", files={"images": ("a.png", GOOD)}),
        post("/v2/models/away/versions/1/infer", json={"inputs": [_pixels(np.zeros((8, 8, 3), int))]}),
        bench.admin.get("/v2/models/away/versions/1/ready"),
    ):
        assert (answer.status_code, answer.json()["detail"]) == (409, "away is put away.")
    ready = bench.admin.get(f"{API}/openapi.json").json()["paths"]["/v2/models/{recipe}/versions/{version}/ready"]
    assert "409" in ready["get"]["responses"]
    assert bench.admin.get(f"{API}/inspections", params={"recipe": "away"}).json()["items"] == []


def test_history_takes_the_number_of_a_version_as_every_other_address_does(bench: Bench) -> None:
    def found(**asked: str) -> httpx.Response:
        bench.station.flush()
        return bench.admin.get(f"{API}/inspections", params=asked)

    by_id = found(version=bench.version("part").id).json()["items"]
    assert by_id
    assert found(recipe="part", version="1").json()["items"] == by_id
    assert found(recipe="part", version="7").status_code == 404
    assert found(version="1").status_code == 422, "every recipe has a version 1"
    exported = bench.admin.get(
        f"{API}/inspections:export", params={"recipe": "part", "version": "1", "format": "jsonl"}
    )
    assert len(exported.text.splitlines()) == len(by_id)


def test_an_empty_idempotency_key_is_no_key_of_every_part(bench: Bench) -> None:
    for part in (2, 3):
        headers = PNG | {"Idempotency-Key": ""}
        answer = bench.admin.post(f"{API}/recipes/part/inspections", content=encoded(good_part(part)), headers=headers)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/header/idempotency-key"


def test_the_login_link_is_a_way_in_for_an_engineer_whatever_role_the_first_one_has_now(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:

        def by_link() -> httpx.Client:
            client = bench.client()
            secret = bench.station.new_login_link()
            assert client.get("/login/once", params={"secret": secret}).status_code == 303
            return client

        def me(client: httpx.Client) -> dict[str, Any]:
            return dict(client.get(f"{API}/me").json())

        first = me(by_link())
        assert me(by_link())["user"] == first["user"]
        body = {"name": "mona", "role": "engineer", "password": "long enough"}
        assert bench.admin.post(f"{API}/users", json=body).status_code == 201
        changed = bench.admin.patch(f"{API}/users/{first['user']}", json={"role": "viewer"})
        assert changed.json()["role"] == "viewer"
        second = by_link()
        assert (me(second)["name"], me(second)["grant"]) == ("engineer 2", "engineer")
        assert me(by_link())["user"] == me(second)["user"]


def test_a_forgotten_password_is_set_under_settings_as_the_problem_says(bench: Bench, engineer: httpx.Client) -> None:
    body = {"name": "otto", "role": "operator", "password": "long enough"}
    otto = bench.admin.post(f"{API}/users", json=body).json()["id"]
    page = engineer.get("/settings").text
    form = rf'action="{API}/users/{otto}" then="reload"><form[^>]*><input name="password"'
    assert re.search(form, page)
    own = engineer.get(f"{API}/me").json()["user"]
    assert not re.search(form.replace(otto, own), page), "one's own has its place above"


def test_who_logs_in_again_comes_back_to_the_filter(bench: Bench) -> None:
    stranger = bench.client()
    asked = "/history?recipe=part&serial=a%20b%26c"
    where = stranger.get(asked).headers["location"]
    assert parse_qs(urlsplit(where).query)["next"] == [asked]


def test_a_part_of_a_page_is_not_filled_with_the_login_form(bench: Bench) -> None:
    """The panel beside the line asks for its tiles again and again, also when its session has ended."""
    asked = {"HX-Request": "true", "HX-Current-URL": f"http://localhost:{bench.port}/?a=1"}
    answer = bench.client(**asked).get("/line")
    assert (answer.status_code, answer.text) == (401, "")
    assert parse_qs(urlsplit(answer.headers["hx-redirect"]).query)["next"] == ["/?a=1"]


def test_what_is_typed_wrong_into_the_history_is_said_plainly(engineer: httpx.Client) -> None:
    for field, typed, said in (
        ("min_score", "much", "&#39;much&#39; is no number."),
        ("min_score", "nan", "&#39;nan&#39; is no number."),
        ("since", "yesterday", "&#39;yesterday&#39; is no time; write it as 2026-11-26 06:00."),
    ):
        page = engineer.get("/history", params={field: typed}).text
        assert said in page
        assert "/results/" not in page, "parts beside it would pass for what was asked"
        assert "inspections:export" not in page
    assert 'role="alert"' not in engineer.get("/history", params={"min_score": "0,5"}).text


def test_another_recipe_in_the_history_forgets_the_version_of_the_one_before(
    bench: Bench, engineer: httpx.Client, model: Path
) -> None:
    bench.taught("other", model)
    bench.inspect("other", GOOD, serial="of the other")
    asked = {"recipe": "other", "version": bench.version("part").id}
    assert "of the other" in engineer.get("/history", params=asked).text


def test_viewers_are_not_sent_where_they_may_not_go(bench: Bench, engineer: httpx.Client) -> None:
    bench.recipe("untaught")
    teach = "/recipes/untaught/teach"
    assert teach in engineer.get("/").text
    assert teach not in bench.with_role("viewer").get("/").text


def test_large_json_is_refused_before_it_stops_the_line(bench: Bench) -> None:
    """Anybody on the network could send 64 MB of JSON to /login, which is read in one go."""
    large = b'{"name": "' + b"a" * 5_000_000 + b'", "password": "x"}'
    for kind in ("application/json", ""):
        answer = bench.client().post(f"{API}/login", content=large, headers={"Content-Type": kind})
        assert answer.status_code == 413
        assert "4 MB" in answer.json()["detail"]
    pieces = bench.client().post(f"{API}/login", content=iter([large]), headers={"Content-Type": "application/json"})
    assert pieces.status_code == 413
    picture = large + GOOD  # is no picture, but as large as one may be
    assert bench.inspect("part", picture)["verdict"] == "ERROR"


def test_the_pixels_of_kserve_are_not_read_as_json_in_which_nobody_is_answered() -> None:
    """For a picture of four million pixels no other call was answered for four seconds."""
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3))
    for data in (image.ravel().tolist(), image.tolist()):
        body = json.dumps({"id": "a", "inputs": [_pixels(image, data=data)], "outputs": []}).encode()
        rest, values = numbers_apart(body)
        assert values is not None
        assert len(rest) < 200
        assert (values == image.ravel()).all()
    many = json.dumps({"inputs": [_pixels(image + 0.5)]}).encode()
    with pytest.raises(Problem, match="so many values"):
        read_infer(many)


def test_the_values_of_a_picture_are_read_as_json_would(bench: Bench) -> None:
    image = scratched_part(9).grey[:48, :64, None].repeat(3, 2)
    nested = _pixels(image, data=image.tolist())
    spread = json.dumps({"outputs": [{"name": "score"}], "inputs": [nested]}, indent=1)
    flat = json.dumps({"inputs": [_pixels(image)], "outputs": [{"name": "score"}]}, separators=(",", ":"))
    kept = []
    for body in (spread, flat):
        answer = bench.admin.post("/v2/models/part/infer", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 200, answer.text
        id = answer.json()["parameters"]["inspection"]
        kept.append(bench.admin.get(f"{API}/inspections/{id}/image").content)
    assert kept[0] == kept[1] == encoded(image[..., ::-1])


@pytest.mark.parametrize(
    "data",
    ["[1.5,2,3]", "[1,,3]", "[1 2,3,4]", "[1,2,300]", "[1,2,3", "[1,2]", "[1][2,3]", '["1","2","3"]'],
)
def test_what_is_no_picture_is_refused(bench: Bench, data: str) -> None:
    body = f'{{"inputs":[{{"name":"image","datatype":"UINT8","shape":[1,1,3],"data":{data}}}]}}'
    answer = bench.admin.post("/v2/models/part/infer", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    other = body.replace('"inputs"', '"parameters":{"data":[7,7,7]},"inputs"')
    assert bench.admin.post("/v2/models/part/infer", content=other).status_code == 422


def test_who_may_not_inspect_is_told_so_before_the_picture_is_read(bench: Bench) -> None:
    for client, status in ((bench.client(), 401), (bench.with_token("read"), 403)):
        assert client.post("/v2/models/part/infer", content=b"no JSON").status_code == status
