"""What a version would say otherwise: of past parts, of golden pictures, and than another version says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from parts import good_part, scratched_part
from station_bench import API, Bench, blind, encoded, opened, put_on_line, wait_for

from blemish.service.work.child import run

GOOD, BAD = encoded(good_part(101)), encoded(scratched_part(102).grey)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Bench]:
    """A station whose version 1 finds scratches; version 2, on line, lets all pass."""
    folder = tmp_path_factory.mktemp("station")
    with opened(folder / "data") as bench:
        bench.taught("part", model)
        parts = [bench.inspect("part", data) for data in (GOOD, BAD, b"no picture")]
        bench.station.flush()
        for told, expected in zip(parts[:2], ("OK", "NG"), strict=True):
            asked = {"inspection": told["id"], "expected": expected}
            assert bench.admin.post(f"{API}/recipes/part/golden", json=asked).status_code == 201
        bench.station.promote = _without_golden(bench)  # type: ignore[method-assign]
        put_on_line(bench.station, "part", blind(model, folder / "blind.blemish"))
        yield bench


def _without_golden(bench: Bench) -> Any:
    promote = bench.station.promote
    return lambda *given: promote(*given, force=True)


def _previewed(bench: Bench, version: str, **asked: Any) -> dict[str, Any]:
    sent = bench.admin.post(f"{API}/recipes/part/versions/{version}:preview", json=asked)
    assert sent.status_code == 202, sent.text
    job = wait_for(bench.admin, sent.json()["id"])
    assert job["state"] == "done", job["error"]
    found: dict[str, Any] = job["result"]
    return found


def test_golden_pictures_are_told_apart_from_past_parts_with_old_and_new_verdict(bench: Bench) -> None:
    told = _previewed(bench, "1")
    assert [(each["expected"], each["verdict"], each["new_verdict"], each["right"]) for each in told["golden"]] == [
        ("OK", "OK", "OK", True),
        ("NG", "OK", "NG", True),
    ]
    assert (told["judged"], told["changes"]) == (3, []), "past parts are compared with what version 1 said of them"
    again = _previewed(bench, "2")
    assert [each["right"] for each in again["golden"]] == [True, False]
    assert [(each["verdict"], each["new_verdict"]) for each in again["changes"]] == [("NG", "OK")]


def test_what_could_not_be_judged_before_is_no_error_of_the_version(bench: Bench) -> None:
    told = _previewed(bench, "1")
    assert told["errors"] == 0
    assert {"verdict": "ERROR", "new_verdict": "ERROR", "count": 1} in told["agreement"]


def test_two_versions_judge_the_same_parts(bench: Bench) -> None:
    told = _previewed(bench, "2", against="1")
    counted = {(each["verdict"], each["new_verdict"]): each["count"] for each in told["agreement"]}
    assert counted == {("ERROR", "ERROR"): 1, ("NG", "OK"): 1, ("OK", "OK"): 1}
    [change] = told["changes"]
    assert change["score"] == pytest.approx(change["new_score"]), "only the threshold differs"
    assert told["old_threshold"] < told["threshold"] == 1e6
    assert _previewed(bench, "1", against="2")["changes"][0]["new_verdict"] == "NG"
    unknown = bench.admin.post(f"{API}/recipes/part/versions/1:preview", json={"against": "9"})
    assert unknown.status_code == 404


def test_a_preview_tells_of_no_path_and_counts_no_picture_that_went_meanwhile(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # which the child leaves for its folder
    picture = tmp_path / "kept.png"
    picture.write_bytes(GOOD)
    past = [
        {"id": str(n), "name": "x", "verdict": "NG", "score": 9.0, "file": str(file)}
        for n, file in enumerate((picture, tmp_path / "gone.png"))
    ]
    golden = [{"id": "g", "name": "x", "sha256": "0", "expected": "NG", "file": str(tmp_path / "gone.png")}]
    order = {"kind": "preview", "folder": str(tmp_path), "parent": str(model), "max_pixels": None}
    compared = {"past": past, "golden": golden, "against": None, "old": str(tmp_path / "lost.blemish")}
    seen: list[tuple[str, int, int]] = []
    told = run(order | compared, lambda *each: seen.append(each))
    assert [(each["id"], each["new_verdict"]) for each in told["changes"]] == [("0", "OK")]
    assert told["judged"] == 1
    assert [(each["verdict"], each["new_verdict"], each["right"]) for each in told["golden"]] == [
        (None, "ERROR", False)
    ], "the version on line does not load, and the preview of its repair is made all the same"
    assert str(tmp_path) not in str(told)
    assert seen[-1] == ("preview", 3, 3)
