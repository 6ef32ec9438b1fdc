"""A line's counts are those of the line: batches and try-outs stand in the history, marked, and are counted apart."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from parts import good_part, scratched_part
from station_bench import API, Bench, encoded, opened

GOOD, BAD = encoded(good_part(1)), encoded(scratched_part(102).grey)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Bench]:
    """One part of each kind: the line's first, and by /v2; then a batch of two, and a try-out."""
    with opened(tmp_path_factory.mktemp("station") / "data") as bench:
        bench.taught("part", model)
        bench.inspect("part", GOOD, serial="S 1")
        pixels = np.repeat(good_part(2)[:, :, None], 3, axis=2)
        tensor = {"name": "image", "datatype": "UINT8", "shape": list(pixels.shape), "data": pixels.ravel().tolist()}
        assert bench.admin.post("/v2/models/part/infer", json={"inputs": [tensor]}).status_code == 200
        batch = f"{API}/recipes/part/inspections:batch"
        files = [("images", (f"batch {number}.png", BAD)) for number in range(2)]
        assert bench.admin.post(batch, files=files).status_code == 200
        tried = bench.admin.post(batch, params={"kind": "try"}, files={"images": ("tried.png", BAD)})
        assert (tried.json()["kind"], tried.json()["verdict"]) == ("try", "NG")
        bench.station.flush()
        yield bench


def _kinds(bench: Bench, **asked: str) -> list[str]:
    return [each["kind"] for each in bench.admin.get(f"{API}/inspections", params=asked).json()["items"]]


def _counted(bench: Bench, **asked: str) -> dict[str, int]:
    hours = bench.admin.get(f"{API}/inspections:hours", params={"recipe": "part", **asked}).json()
    return {verdict: sum(each["count"] for each in hours if each["verdict"] == verdict) for verdict in ("OK", "NG")}


def test_the_page_line_shows_and_counts_the_line_alone(bench: Bench) -> None:
    """Whoever tried a version, or sent an archive, put their parts on the panel, and into the counts of the shift."""
    page = bench.with_role("viewer").get("/line").text
    counts = dict(re.findall(r"<dt>(\w+)</dt><dd>(\d+)</dd>", page))
    assert counts == {"OK": "2", "NG": "0", "REVIEW": "0", "ERROR": "0"}
    assert "S 1" in page
    assert "batch 0.png" not in page
    assert "tried.png" not in page
    assert '<section class="tile OK"' in page


def test_the_history_shows_all_each_marked_and_finds_by_kind(bench: Bench) -> None:
    viewer = bench.with_role("viewer")

    def marks(address: str) -> list[str]:
        rows = re.findall(r"<tr><td><a href=\"/results.*?</tr>", viewer.get(address).text, re.S)
        return [re.findall(r"<td>(Line|Batch|Try-out)</td>", row)[0] for row in rows]

    assert marks("/history") == ["Try-out", "Batch", "Batch", "Line", "Line"]
    for kind, found in {"line": ["Line"] * 2, "batch": ["Batch"] * 2, "try": ["Try-out"]}.items():
        assert marks(f"/history?kind={kind}&recipe=part") == found
    asked = viewer.get("/history?kind=try").text
    assert '<option value="try" selected>' in asked
    assert f"{API}/inspections:export?kind=try" in asked
    result = bench.admin.get(f"{API}/inspections", params={"kind": "try"}).json()["items"][0]
    assert "<dt>Kind</dt><dd>Try-out</dd>" in viewer.get(f"/results/{result['id']}").text
    viewer.patch(f"{API}/me", json={"lang": "ja"})
    assert "<td>試し検査</td>" in viewer.get("/history").text


def test_the_api_finds_and_counts_by_kind(bench: Bench) -> None:
    assert _kinds(bench) == ["try", "batch", "batch", "v2", "api"]
    assert _kinds(bench, kind="line") == ["v2", "api"]
    assert _kinds(bench, kind="line", verdict="NG") == []
    assert _kinds(bench, kind="batch", recipe="part", version="1") == ["batch"] * 2
    assert bench.admin.get(f"{API}/inspections", params={"kind": "other"}).status_code == 422
    assert _counted(bench) == {"OK": 2, "NG": 3}
    assert _counted(bench, kind="line") == {"OK": 2, "NG": 0}
    assert _counted(bench, kind="batch") == {"OK": 0, "NG": 2}
    assert _counted(bench, kind="try") == {"OK": 0, "NG": 1}


def test_an_export_says_of_each_part_how_it_came(bench: Bench) -> None:
    text = bench.admin.get(f"{API}/inspections:export", params={"format": "jsonl"}).text
    assert [json.loads(line)["kind"] for line in text.splitlines()] == ["try", "batch", "batch", "v2", "api"]
    lines = bench.admin.get(f"{API}/inspections:export", params={"kind": "line"}).text.splitlines()
    assert len(lines) == 3, "a head and two parts"
    assert lines[0].endswith(",kind"), "new columns stand last"


def test_the_figures_for_prometheus_are_of_each_kind(bench: Bench) -> None:
    text = bench.admin.get(f"{API}/metrics").text
    found = re.findall(r'blemish_inspections_total\{kind="(\w+)",recipe="part",verdict="(\w+)"\} ([\d.]+)', text)
    assert {(kind, verdict): float(count) for kind, verdict, count in found} == {
        ("api", "OK"): 1,
        ("v2", "OK"): 1,
        ("batch", "NG"): 2,
        ("try", "NG"): 1,
    }
