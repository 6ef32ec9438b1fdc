"""The pages of versions: what each promises, two compared, the file for other programs, and what the audit log says."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import onnx
import pytest
from parts import good_part, scratched_part
from station_bench import API, Bench, blind, encoded, opened, put_on_line, wait_for

PAGE = "/recipes/part"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Bench]:
    """Version 1 finds the scratch that was judged; version 2 lets it pass."""
    folder = tmp_path_factory.mktemp("station")
    with opened(folder / "data") as bench:
        bench.taught("part", model)
        for data, serial in ((encoded(good_part(101)), "S 1"), (encoded(scratched_part(102).grey), "S 2")):
            bench.inspect("part", data, serial=serial)
        bench.station.flush()
        put_on_line(bench.station, "part", blind(model, folder / "blind.blemish"))
        yield bench


@pytest.fixture(scope="module")
def engineer(bench: Bench) -> httpx.Client:
    return bench.with_role("engineer")


def _text(client: httpx.Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_list_says_what_each_version_promises(bench: Bench, engineer: httpx.Client) -> None:
    promise = bench.version("part").info["promise"]
    assert promise
    assert promise.split(".")[0] in _text(engineer, f"{PAGE}/versions")


def test_two_versions_are_compared_on_the_same_parts(bench: Bench, engineer: httpx.Client) -> None:
    assert f'action="{PAGE}/compare"' in _text(engineer, f"{PAGE}/versions")
    asked = f"{PAGE}/compare?old=1&new=2"
    page = _text(engineer, asked)
    posted = re.search(r'action="([^"]+:preview)" then="reload"><form><input [^>]*value="([^"]+)"', page)
    assert posted, "an engineer may let both judge"
    viewer = bench.with_role("viewer")
    assert "Nobody has compared these two yet" in _text(viewer, asked)
    job = engineer.post(posted[1], json={"against": posted[2]}).json()
    assert wait_for(bench.admin, job["id"])["state"] == "done"
    told = _text(viewer, asked)
    assert "The versions disagree on 1 of 2 parts." in told
    [row] = re.findall(r'<tr><th scope="row">.*?NG.*?</th>(.*?)</tr>', told, re.S)
    assert re.findall(r">(\d+)<", row) == ["1"], "what version 1 calls NG, version 2 calls OK"
    heats = re.findall(r'src="([^"]+/overlay[^"]+)"', told)
    assert len({viewer.get(each).content for each in heats}) == len(heats) == 2
    assert "disagree" not in _text(viewer, f"{PAGE}/compare?old=2&new=1"), "that pair was not compared"


def test_a_version_beside_itself_is_not_compared(engineer: httpx.Client) -> None:
    assert "This is one version; choose two." in _text(engineer, f"{PAGE}/compare?old=1&new=1")


def test_a_version_is_exported_for_other_programs(bench: Bench, engineer: httpx.Client) -> None:
    file = f"{API}/recipes/part/versions/1/model.onnx"
    assert engineer.get(file).status_code == 409
    posted = re.search(r'action="([^"]+:export)"', _text(engineer, f"{PAGE}/versions/1"))
    assert posted
    done = wait_for(bench.admin, engineer.post(posted[1], json={}).json()["id"])
    assert (done["state"], set(done["result"])) == ("done", {"sha256", "bytes"})
    content = engineer.get(file).content
    assert len(content) == done["result"]["bytes"]
    assert next(each.name for each in onnx.load_from_string(content).graph.output) == "score"
    assert f'href="{file}"' in _text(engineer, f"{PAGE}/versions/1")
    assert file not in _text(bench.with_role("viewer"), f"{PAGE}/versions/1")


def test_what_the_audit_log_says_of_a_version_is_one_link_away(bench: Bench, engineer: httpx.Client) -> None:
    link = re.search(r'href="(/settings/audit\?version=[^"]+)"', _text(engineer, f"{PAGE}/versions/1"))
    assert link
    page = _text(engineer, link[1])
    rows = re.findall(r"<td>((?:version|recipe|golden|label)\.?\w*)</td>", page)
    assert set(rows) == {"version.upload", "recipe.promote"}
    assert len(rows) == 3, "listed, put on line, and replaced by version 2"
    id = link[1].partition("=")[2]
    told = bench.admin.get(f"{API}/audit", params={"mentions": id}).json()["items"]
    assert len(told) == 3
    assert not bench.admin.get(f"{API}/audit", params={"mentions": "no such id"}).json()["items"]
