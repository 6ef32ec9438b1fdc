"""Work beside judging: batches, models on the disk, child processes, events of jobs, what the audit log is told."""

import asyncio
import json
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from parts import good_part
from station_bench import API, Bench, encoded, inspect_slowly, opened, wait_for

from blemish.calibrating import calibrate
from blemish.detector import load
from blemish.service.work.events import Events
from blemish.service.work.registry import Registry


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Bench]:
    """A station with the recipe `part` on line."""
    with opened(tmp_path_factory.mktemp("station")) as bench:
        bench.taught("part", model)
        yield bench


def test_a_batch_does_not_keep_single_calls_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.taught("line", bench.model("part"), deadline_ms=2000)
    inspect_slowly(monkeypatch, 0.05)
    monkeypatch.setattr(bench.station.inspectors, "seconds", 1.0)
    data = encoded(good_part(1))
    files = [("images", (f"{number}.png", data)) for number in range(40)]
    with ThreadPoolExecutor(1) as other:
        batch = other.submit(bench.admin.post, f"{API}/recipes/line/inspections:batch", files=files)
        while bench.station.inspectors.waiting < 20:
            time.sleep(0.01)
        assert bench.inspect("line", data)["verdict"] == "OK", "it goes first, so the batch does not delay it"
        assert len(batch.result().text.splitlines()) == 40


def test_a_model_that_is_whole_but_not_the_one_that_was_made_does_not_judge(bench: Bench, model: Path) -> None:
    id = bench.taught("other", bench.model("part"))
    calibrate(load(model), threshold=1e9).save(bench.model("other"))
    started = Registry(bench.station.store)
    started.load_all()
    assert "sha256 is another" in started.failed["other"]
    assert str(bench.station.store.folder) not in started.failed["other"]
    job = bench.admin.post(f"{API}/recipes/other/versions", json={"kind": "calibrate", "threshold": 5, "parent": id})
    assert "sha256 is another" in wait_for(bench.admin, job.json()["id"])["error"], "nor does anything start from it"


def test_the_repair_of_a_damaged_version_on_line_can_be_previewed(tmp_path: Path, model: Path) -> None:
    with opened(tmp_path / "data") as bench:
        bench.taught("part", model)
        broken = bench.model("part")
        bench.inspect("part", encoded(good_part(1)))
        bench.station.flush()
        repair = bench.admin.post(f"{API}/recipes/part/versions", json={"kind": "calibrate", "threshold": 1e9}).json()
        number = wait_for(bench.admin, repair["id"])["result"]["number"]
        broken.write_bytes(b"no model any more")
        path = f"{API}/recipes/part/versions"
        seen = wait_for(bench.admin, bench.admin.post(f"{path}/{number}:preview", json={}).json()["id"])
        assert (seen["state"], seen["result"]["judged"]) == ("done", 1)
        asked = {"against": "1"}
        named = wait_for(bench.admin, bench.admin.post(f"{path}/{number}:preview", json=asked).json()["id"])
        assert "sha256 is another" in named["error"], "where it is asked for by name, it is told"


def test_a_child_that_dies_at_its_start_is_a_failed_job_in_words(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("true"))
    files = [("images", (f"{n}.png", encoded(good_part(n)), "image/png")) for n in range(4)]
    bench.recipe("dead")
    bench.admin.post(f"{API}/recipes/dead/images", files=files)
    job = bench.admin.post(f"{API}/recipes/dead/versions", json={"kind": "fit", "why": "x" * 500}).json()
    assert wait_for(bench.admin, job["id"])["error"].startswith("Its process ended without an answer")


def test_the_events_of_a_job_end_with_it(bench: Bench) -> None:
    job = bench.admin.post(f"{API}/recipes/part/versions", json={"kind": "calibrate", "threshold": 5}).json()
    with bench.admin.stream("GET", f"{API}/jobs/{job['id']}/events") as stream:
        told = [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: ")]
    assert {(each["id"], each["recipe"]) for each in told} == {(job["id"], "part")}
    assert told[-1]["state"] == "done"
    with bench.admin.stream("GET", f"{API}/jobs/{job['id']}/events") as stream:
        assert [json.loads(line[6:])["state"] for line in stream.iter_lines() if line.startswith("data: ")] == ["done"]
    assert bench.admin.get(f"{API}/jobs/none/events").status_code == 404


def test_who_changes_what_is_in_the_audit_log(bench: Bench) -> None:
    bench.recipe("audited")
    files = [("images", ("1.png", encoded(good_part(1)), "image/png"))]
    bench.admin.post(f"{API}/recipes/audited/images", files=files)
    job = bench.admin.post(f"{API}/recipes/audited/versions", json={"kind": "fit"}).json()
    bench.admin.post(f"{API}/jobs/{job['id']}:cancel")
    told = {row["what"] for row in bench.admin.get(f"{API}/audit", params={"limit": 10}).json()["items"]}
    assert {"recipe.add", "training.add", "job.add"} <= told


def test_a_listener_who_knows_numbers_of_the_future_is_told_to_look_again() -> None:
    async def first(after: int) -> str:
        told = Events()
        said = told.listen(after)
        await anext(said)
        told.tell("label", {})
        return await anext(said)

    assert "event: missed" in asyncio.run(first(time.time_ns() // 1000 + 3_600_000_000))
