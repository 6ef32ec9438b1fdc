"""The whole way over HTTP: teach, judge, look back, correct, preview, promote, roll back; and what can be wrong."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from parts import good_part, scratched_part
from station_bench import API, Bench, encoded, inspect_slowly, opened, wait_for

from blemish.detector import Detector, load
from blemish.fitting import fit
from blemish.methods.method import Scores
from blemish.methods.patchcore import PatchCore
from blemish.result import Result
from blemish.service.api.shapes.parts import RegionOut
from blemish.service.people.access import ACCESS
from blemish.service.problems import Problem
from blemish.service.store.jobs import add_job
from blemish.service.work.registry import Registry

PNG = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Bench]:
    """A station with the recipe `part` on line."""
    with opened(tmp_path_factory.mktemp("station")) as bench:
        bench.taught("part", model)
        yield bench


def test_a_product_is_taught_judged_and_corrected(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        admin = bench.admin
        bench.recipe("tile")
        files = [("images", (f"{n}.png", encoded(good_part(n)), "image/png")) for n in range(8)]
        sent = admin.post(f"{API}/recipes/tile/images", files=[*files, ("images", ("x.png", b"no picture"))]).json()
        assert [each["state"] for each in sent] == ["added"] * 8 + ["refused"]
        assert "x.png" in sent[-1]["error"]
        again = admin.post(f"{API}/recipes/tile/images", files=files).json()
        assert {each["state"] for each in again} == {"known"}, "a call that broke off can be repeated"
        assert isinstance(admin.get(f"{API}/recipes/tile/images:examine").json(), list)
        job = admin.post(f"{API}/recipes/tile/versions", json={"kind": "fit", "promote": True})
        assert job.status_code == 202
        assert wait_for(admin, job.json()["id"])["state"] == "done"
        bad = bench.inspect("tile", encoded(scratched_part(102).grey), serial="S 1")
        assert (bad["verdict"], bad["version_number"], bad["recorded"]) == ("NG", 1, True)
        _check_score(tmp_path, bad)
        label = f"{API}/inspections/{bad['id']}/label"
        assert admin.put(label, json={"label": "good"}).json()["label"] == "good"
        asked = {"kind": "add", "inspections": [bad["id"]]}
        made = wait_for(admin, admin.post(f"{API}/recipes/tile/versions", json=asked).json()["id"])
        assert made["result"]["number"] == 2
        assert bench.version("tile").number == 1, "a new version judges nothing until it is promoted"
        preview = admin.post(f"{API}/recipes/tile/versions/2:preview", json={"last": 10}).json()
        told = wait_for(admin, preview["id"])
        assert (told["result"]["judged"], told["done"]) == (1, 1)
        assert [(each["verdict"], each["new_verdict"]) for each in told["result"]["changes"]] == [("NG", "OK")]
        for _ in range(2):  # the second time changes nothing, not even the way back
            assert admin.post(f"{API}/recipes/tile:promote", json={"version": "2"}).status_code == 200
        assert bench.inspect("tile", encoded(scratched_part(102).grey))["verdict"] == "OK"
        assert admin.post(f"{API}/recipes/tile:rollback", json={}).json()["number"] == 1
        assert bench.inspect("tile", encoded(scratched_part(102).grey))["verdict"] == "NG"


def _check_score(folder: Path, answer: dict[str, Any]) -> None:
    """The station's score is that of the library, by the same model on the same bytes."""
    file = next((folder / "models").rglob("*.blemish"))
    result = load(file, threads=1).inspect(encoded(scratched_part(102).grey))
    assert answer["score"] == result.score
    assert answer["threshold"] == result.threshold


def test_a_part_that_cannot_be_judged_is_answered_and_recorded(bench: Bench) -> None:
    for data in (b"", b"no picture", encoded(good_part(1))[:200], base64.b64encode(encoded(good_part(1)))):
        answer = bench.inspect("part", data)
        assert answer["verdict"] == "ERROR"
        assert answer["score"] is None
        assert answer["error"]
        kept = bench.admin.get(f"{API}/inspections/{answer['id']}").json()
        assert kept["verdict"] == "ERROR"


def test_a_multiple_of_the_threshold_is_told_only_of_scores_that_have_a_zero(
    bench: Bench, tmp_path: Path, detector: Detector
) -> None:
    joined = fit([good_part(seed) for seed in range(8)], looks="64:2+3,64:3+4", coreset=20, progress=False, threads=1)
    joined.save(tmp_path / "joined.blemish")
    bench.taught("joined", tmp_path / "joined.blemish")
    picture = encoded(scratched_part(102).grey)
    for name, judge in (("joined", joined), ("part", detector)):
        result = judge.inspect(picture)
        told = bench.inspect(name, picture)
        one = bench.admin.get(told["links"]["self"]).json()
        wanted = None if name == "joined" else result.score / result.threshold
        assert told["times_threshold"] == one["times_threshold"] == pytest.approx(wanted)
        _check_map(bench, told, result, judge)


def _check_map(bench: Bench, told: dict[str, Any], result: Result, judge: Detector) -> None:
    """In map.png, the middle is where regions begin, whatever the zero of the scores."""
    bench.station.flush()
    sent = np.frombuffer(bench.admin.get(told["links"]["map.png"]).content, np.uint8)
    drawn = cv2.imdecode(sent, cv2.IMREAD_UNCHANGED)
    assert result.anomaly_map is not None
    assert drawn is not None
    assert drawn.dtype == np.uint16
    above = result.anomaly_map > judge.model.manifest.calibration.map_threshold
    assert above.any()
    assert np.array_equal(drawn > 32_768, above)
    assert len(np.unique(drawn)) > 100, "it tells more than above and below"


def test_a_key_makes_a_repeated_call_safe(bench: Bench) -> None:
    path, data = f"{API}/recipes/part/inspections", encoded(good_part(5))
    key = PNG | {"Idempotency-Key": "part 5"}
    first = bench.admin.post(path, content=data, headers=key).json()
    second = bench.admin.post(path, content=data, headers=key).json()
    assert second == first | {"image": second["image"]}, "only its picture may have come meanwhile"
    other = bench.admin.post(path, content=encoded(good_part(6)), headers=key)
    assert other.status_code == 409
    assert other.json()["type"] == "/errors/idempotency-conflict"


def test_a_batch_answers_line_by_line_in_order(bench: Bench) -> None:
    pictures = [encoded(good_part(1)), b"no picture", encoded(scratched_part(102).grey)]
    files = [("images", (f"{n}.png", data, "image/png")) for n, data in enumerate(pictures)]
    answer = bench.admin.post(f"{API}/recipes/part/inspections:batch", files=files)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["name"] for line in lines] == ["0.png", "1.png", "2.png"]
    assert [line["verdict"] for line in lines] == ["OK", "ERROR", "NG"]


def test_history_finds_by_each_filter_and_pages_to_the_end(bench: Bench) -> None:
    made = [bench.inspect("part", encoded(good_part(n)), serial=f"lot/{n}") for n in range(3)]
    bench.admin.put(f"{API}/inspections/{made[0]['id']}/label", json={"label": "bad", "note": "<script>"})
    for query, found in (
        ({"serial": "lot/1"}, [made[1]["id"]]),
        ({"label": "bad"}, [made[0]["id"]]),
        ({"since": made[2]["at"], "until": made[2]["at"], "serial": "lot/2"}, [made[2]["id"]]),
    ):
        rows = bench.admin.get(f"{API}/inspections", params=query).json()["items"]
        assert [row["id"] for row in rows] == found, query
    for query in ({"verdict": "ERROR"}, {"recipe": "part"}, {"version": made[0]["version"]}, {"min_score": "1e9"}):
        rows = bench.admin.get(f"{API}/inspections", params=query).json()["items"]
        assert all(row["verdict"] == query.get("verdict", row["verdict"]) for row in rows)
    ids, cursor = [], {"limit": "2"}
    while True:
        page = bench.admin.get(f"{API}/inspections", params=cursor).json()
        ids += [row["seq"] for row in page["items"]]
        if page["next"] is None:
            break
        cursor["cursor"] = page["next"]
    assert ids == sorted(ids, reverse=True)
    assert (
        len(ids) == len(set(ids)) == bench.station.store.read.execute("SELECT count(*) FROM inspection").fetchone()[0]
    )
    assert bench.admin.get(f"{API}/recipes/part/misses").json() == {"bad": 1, "missed": 1}


def test_an_export_holds_what_the_filter_lets_through_and_no_formula(bench: Bench) -> None:
    one = bench.inspect("part", encoded(good_part(40)), serial="=1+1")
    text = bench.admin.get(f"{API}/inspections:export", params={"serial": "=1+1"}).text
    assert "'=1+1" in text
    lines = bench.admin.get(f"{API}/inspections:export", params={"serial": "=1+1", "format": "jsonl"}).text
    assert [json.loads(line)["id"] for line in lines.splitlines()] == [one["id"]]


def test_an_export_comes_as_the_description_says(bench: Bench) -> None:
    described = bench.admin.get(f"{API}/openapi.json").json()["paths"][f"{API}/inspections:export"]["get"]
    kinds = described["responses"]["200"]["content"]
    (formats,) = (each["schema"]["enum"] for each in described["parameters"] if each["name"] == "format")
    for name in formats:
        answer = bench.admin.get(f"{API}/inspections:export", params={"format": name})
        assert answer.headers["content-type"].partition(";")[0] in kinds or answer.status_code == 415, name
    assert len(kinds) == len(formats) == 3


def test_pictures_come_as_they_were_sent_and_drawn(bench: Bench) -> None:
    data = encoded(scratched_part(102).grey)
    one = bench.inspect("part", data)
    bench.station.flush()
    image = bench.admin.get(one["links"]["image"])
    assert image.content == data
    assert image.headers["Content-Type"] == "image/png"
    assert bench.admin.get(one["links"]["overlay"]).headers["Content-Type"] == "image/jpeg"
    assert bench.admin.get(one["links"]["map.png"]).content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "type"),
    [
        ("GET", "/recipes/none", None, 404, "unknown-recipe"),
        ("GET", "/recipes/..%2f..%2fetc", None, 404, "not-found"),
        ("POST", "/recipes", {"name": "../up"}, 422, "invalid"),
        ("POST", "/recipes", {"name": "part"}, 409, "conflict"),
        ("POST", "/recipes", {"name": "a", "settings": {"deadline_ms": 0}}, 422, "invalid"),
        ("PATCH", "/recipes/part", {"title": "x"}, 428, "no-if-match"),
        ("GET", "/inspections/none", None, 404, "unknown-id"),
        ("GET", "/inspections?min_score=nan", None, 422, "invalid"),
        ("GET", "/inspections?since=yesterday", None, 422, "invalid"),
        ("GET", "/jobs/none", None, 404, "unknown-id"),
        ("POST", "/recipes/part:promote", {"version": "99"}, 404, "unknown-id"),
        ("POST", "/recipes/part:rollback", {}, 409, "conflict"),
        ("POST", "/recipes/part/versions", {"kind": "add"}, 422, "invalid"),
        ("POST", "/recipes/part/versions", {"kind": "fit"}, 409, "conflict"),
        ("POST", "/recipes/part/inspections", {"not": "a picture"}, 415, "wrong-media"),
        ("DELETE", "/inspections", None, 405, "wrong-method"),
    ],
    ids=str,
)
def test_wrong_calls_are_problems(bench: Bench, method: str, path: str, body: Any, status: int, type: str) -> None:
    answer = bench.admin.request(method, f"{API}{path}", json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/errors/{type}")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    assert bench.client().get(answer.json()["type"]).status_code == 200, "each kind has its page"


def test_of_two_engineers_at_once_the_second_is_told(bench: Bench) -> None:
    path = f"{API}/recipes/part"
    etag = bench.admin.get(path).headers["ETag"]
    first = bench.admin.patch(path, json={"title": "one"}, headers={"If-Match": etag})
    second = bench.admin.patch(path, json={"title": "two"}, headers={"If-Match": etag})
    assert (first.status_code, second.status_code) == (200, 412)
    assert bench.admin.get(path).json()["title"] == "one"


def test_a_label_that_is_not_there_is_taken_back_without_a_trace(bench: Bench) -> None:
    links = bench.inspect("part", encoded(good_part(107)))["links"]
    for label, said in ((None, []), ("bad", ["bad"]), (None, ["bad", None]), (None, ["bad", None])):
        address = f"{links['self']}/label"
        answer = bench.admin.put(address, json={"label": label}) if label else bench.admin.delete(address)
        assert answer.json()["label"] == label
        assert [each["label"] for each in bench.admin.get(links["labels"]).json()] == said


def test_a_recipe_without_a_version_says_so(bench: Bench) -> None:
    bench.recipe("new")
    answer = bench.admin.post(f"{API}/recipes/new/inspections", content=b"x", headers=PNG)
    assert (answer.status_code, answer.json()["type"]) == (409, "/errors/not-on-line")


def test_a_version_that_misjudges_a_golden_picture_stays_off_line(bench: Bench, model: Path) -> None:
    bench.taught("golden", model)
    bad = bench.inspect("golden", encoded(scratched_part(102).grey))
    bench.station.flush()
    path = f"{API}/recipes/golden"
    assert bench.admin.post(f"{path}/golden", json={"inspection": bad["id"], "expected": "NG"}).status_code == 201
    assert all(each["right"] for each in bench.admin.post(f"{path}/golden:run").json())
    job = bench.admin.post(f"{path}/versions", json={"kind": "calibrate", "threshold": 1e6}).json()
    number = wait_for(bench.admin, job["id"])["result"]["number"]
    refused = bench.admin.post(f"{path}:promote", json={"version": str(number)})
    assert (refused.status_code, refused.json()["type"]) == (409, "/errors/golden-failed")
    assert bench.inspect("golden", encoded(scratched_part(102).grey))["verdict"] == "NG"
    forced = bench.admin.post(f"{path}:promote", json={"version": str(number), "force": True})
    assert forced.status_code == 200
    assert bench.inspect("golden", encoded(scratched_part(102).grey))["verdict"] == "OK"


def test_a_part_that_our_own_mistake_meets_is_error_and_recorded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Detector, "inspect", broken)
    answer = bench.inspect("part", encoded(good_part(1)))
    assert (answer["verdict"], answer["recorded"]) == ("ERROR", True)
    assert "MemoryError" in answer["error"]


def test_who_tries_a_version_waits_and_a_line_does_not(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.taught("slow", bench.model("part"), deadline_ms=10)
    inspect_slowly(monkeypatch, 0.02)
    monkeypatch.setattr(bench.station.inspectors, "seconds", 100.0)  # whatever the last ones took
    data = encoded(good_part(1))
    late = bench.inspect("slow", data)
    assert (late["verdict"], late["late"]) == ("ERROR", True)
    path = f"{API}/recipes/slow/inspections:batch"
    tried = bench.admin.post(path, params={"version": "1"}, files=[("images", ("1.png", data))])
    assert (tried.json()["verdict"], tried.json()["version_number"]) == ("OK", 1)
    assert bench.admin.post(path, params={"version": "9"}, files=[("images", ("1.png", data))]).status_code == 404


def test_a_model_that_does_not_load_is_named_and_the_rest_serves(bench: Bench) -> None:
    bench.taught("lost", bench.model("part"))
    bench.model("lost").write_bytes(b"no model any more")
    path = f"{API}/recipes/lost"
    changed = bench.admin.patch(path, json={"settings": {"max_pixels": 90_000}}, headers={"If-Match": "*"})
    assert changed.status_code == 200, "the change is made, whatever the model does"
    started = Registry(bench.station.store)
    started.load_all()
    assert list(started.failed) == ["lost"]
    assert started.ready("part") is not None
    ready = bench.admin.get(f"{API}/ready")
    assert ready.status_code == 503
    assert "lost" in ready.json()["reasons"][0]
    assert bench.inspect("part", encoded(good_part(1)))["verdict"] == "OK"
    refused = bench.admin.post(f"{path}:promote", json={"version": "1"})
    assert (refused.status_code, refused.json()["type"]) == (503, "/errors/not-ready")
    assert bench.admin.delete(path, headers={"If-Match": "*"}).status_code == 200
    assert bench.admin.get(f"{API}/ready").status_code == 200, "what is put away need not be served"


def test_every_model_is_tried_on_one_image_before_it_serves(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatchCore, "score", lambda *_, **__: Scores(float("nan"), None))
    started = Registry(bench.station.store)
    started.load_all()
    assert "a grey image scores nan" in started.failed["part"]
    assert started.ready("part") is None


def test_a_disk_that_is_full_when_a_job_ends_does_not_end_all_jobs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, full = bench.station.store.write, [Problem("disk-full", "no room")]

    def written(change: Any) -> Any:
        if full:
            raise full.pop()
        return write(change)

    monkeypatch.setattr("blemish.service.work.bench.FULL_SECONDS", 0.01)
    recipe = bench.admin.get(f"{API}/recipes/part").json()["id"]
    job = write(lambda connection: add_job(connection, "test", recipe, "preview", {}))
    monkeypatch.setattr(bench.station.store, "write", written)
    assert bench.station.bench._end(job, "failed", error="x").state == "failed"


def test_a_job_that_fails_says_why_in_the_names_that_pictures_came_by(bench: Bench) -> None:
    bench.recipe("wrong")
    files = [("images", (f"{n}.png", encoded(good_part(n)), "image/png")) for n in range(4)]
    deep = encoded(good_part(9).astype(np.uint16) * 257)
    bench.admin.post(f"{API}/recipes/wrong/images", files=[*files, ("images", ("deep.png", deep, "image/png"))])
    job = wait_for(bench.admin, bench.admin.post(f"{API}/recipes/wrong/versions", json={"kind": "fit"}).json()["id"])
    assert job["state"] == "failed"
    assert "deep.png" in job["error"]


def test_a_foreign_model_is_refused_by_its_job(bench: Bench) -> None:
    sent = bench.admin.post(f"{API}/recipes/part/versions:upload", content=b"no model").json()
    job = wait_for(bench.admin, sent["id"])
    assert job["state"] == "failed"
    for _ in range(200):  # the file goes a moment after the job has ended
        if not (left := list((bench.station.store.folder / "uploads").iterdir())):
            break
        time.sleep(0.05)
    assert not left


def test_regions_are_told_with_their_boxes_and_in_full_where_asked(bench: Bench) -> None:
    data = encoded(scratched_part(102).grey)
    short, full = (bench.inspect("part", data, detail=detail) for detail in ("regions", "full"))
    assert short["verdict"] == "NG"
    for few, all in zip(short["regions"], full["regions"], strict=True):
        assert few.keys() == {"box", "area", "score"}
        assert few["box"].keys() == {"x", "y", "width", "height"}
        assert all["box"] == few["box"]
        inside = [few["box"]["x"] <= x < few["box"]["x"] + few["box"]["width"] for x, _ in all["outline"]]
        assert inside
        assert min(inside)
        assert RegionOut.model_validate(all).nearest
    told = bench.admin.get(f"{API}/inspections/{full['id']}").json()
    assert [region["box"] for region in told["regions"]] == [region["box"] for region in full["regions"]]
    version = bench.admin.get(f"{API}/recipes/part/versions/1").json()
    assert version["info"]["threshold"] == full["threshold"]


def test_kserve_answers_as_our_own_interface_does(bench: Bench) -> None:
    rgb = np.repeat(scratched_part(102).grey[:, :, None], 3, axis=2)
    own = bench.inspect("part", encoded(rgb))
    pixels = {"name": "image", "datatype": "UINT8", "shape": list(rgb.shape), "data": rgb.ravel().tolist()}
    file = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [base64.b64encode(encoded(rgb)).decode()]}
    for tensor in (pixels, file):
        outputs = [{"name": name} for name in ("score", "verdict", "anomaly_map")]
        answer = bench.admin.post("/v2/models/part/infer", json={"inputs": [tensor], "outputs": outputs}).json()
        score, verdict, heat = answer["outputs"]
        assert (score["data"], verdict["data"]) == ([own["score"]], [own["verdict"]])
        assert heat["shape"] == list(rgb.shape[:2])
    wrong = bench.admin.post("/v2/models/part/infer", json={"inputs": [pixels | {"shape": [1, 2, 3]}]})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "/errors/invalid")


def test_events_tell_what_happens_and_go_on_after_a_break(bench: Bench) -> None:
    one = bench.inspect("part", encoded(good_part(1)))
    with bench.admin.stream("GET", f"{API}/events", headers={"Last-Event-ID": "0"}) as stream:
        for line in stream.iter_lines():
            if one["id"] in line:
                break
    with bench.admin.stream("GET", f"{API}/events", headers={"Last-Event-ID": "0"}) as stream:
        assert "event: missed" in "".join(line for line, _ in zip(stream.iter_lines(), range(4), strict=False))


def test_the_description_names_every_route_and_its_problems(bench: Bench) -> None:
    described = bench.client().get(f"{API}/openapi.json").json()
    paths = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    assert paths == set(ACCESS)
    for methods in described["paths"].values():
        for operation in methods.values():
            assert operation["description"], operation["operationId"]
            assert {"400", "422"} <= operation["responses"].keys()
