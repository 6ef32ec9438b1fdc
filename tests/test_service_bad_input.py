"""What a network, a disk and strangers do to a station: slow and broken calls, full and read-only disks, traversal."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from parts import good_part, scratched_part
from station_bench import API, Bench, encoded, opened, wait_for

from blemish.errors import DataError
from blemish.service import heads
from blemish.service.people.access import ACCESS
from blemish.service.serving import listening
from blemish.service.station import Station
from blemish.service.store.pictures import Pictures
from blemish.service.store.recipes import change_recipe, find_recipe
from blemish.service.store.store import Store
from blemish.service.work.keeper import LOOK_SECONDS

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Bench]:
    with opened(tmp_path_factory.mktemp("station"), body_seconds=0.3) as bench:
        bench.taught("part", model)
        yield bench


def sent(bench: Bench, data: bytes, claimed: int) -> socket.socket:
    """A call whose body has begun: the bytes that are sent, of as many as it claims."""
    connection = socket.create_connection(("127.0.0.1", bench.port), timeout=30)
    head = (
        f"POST {API}/recipes/part/inspections?serial=gone HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: {bench.admin.headers['Authorization']}\r\nContent-Type: image/png\r\n"
        f"Content-Length: {claimed}\r\n\r\n"
    )
    connection.sendall(head.encode() + data)
    return connection


def count(bench: Bench) -> int:
    return int(bench.station.store.read.execute("SELECT count(*) FROM inspection").fetchone()[0])


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_head() -> None:
    with listening("127.0.0.1", 0) as listens, socket.create_connection(listens.getsockname()):
        connection, _ = listens.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_body_that_does_not_come_is_given_up(bench: Bench) -> None:
    answer = ""
    with sent(bench, b"half of it", 1000) as connection:
        while "/errors/too-slow" not in answer and (more := connection.recv(65_536)):  # head and body come apart
            answer += more.decode()
    assert answer.startswith("HTTP/1.1 408")
    assert "/errors/too-slow" in answer


def test_a_body_that_comes_drop_by_drop_is_given_up(bench: Bench) -> None:
    answer = b""
    with sent(bench, b"", 1000) as connection:
        connection.settimeout(0.05)
        for _ in range(200):
            with suppress(TimeoutError, ConnectionError):
                connection.sendall(b"x")
                answer += connection.recv(65_536)
            if b"/errors/too-slow" in answer:
                break
    assert b"/errors/too-slow" in answer, "each piece comes in time, but the whole never would"


@pytest.mark.parametrize("head", [b"", b"GET /api/v1/live HTTP/1.1\r\nHost: local"], ids=["silent", "half a head"])
def test_a_head_that_does_not_come_holds_no_connection(
    bench: Bench, head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", bench.port), timeout=30) as connection:
        connection.sendall(head)
        assert connection.recv(1) == b"", "the station has closed it"


def test_a_head_without_an_end_holds_no_memory(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 600.0)  # it is its size that ends it
    with socket.create_connection(("127.0.0.1", bench.port), timeout=30) as connection, suppress(ConnectionError):
        connection.sendall(b"GET /api/v1/live HTTP/1.1\r\nX: " + b"x" * (heads.MOST_HEAD + 300_000))
        assert connection.recv(1) == b""


def test_a_kept_connection_takes_a_second_call_however_long_it_rested(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.2)
    with closing(HTTPConnection("localhost", bench.port, timeout=30)) as connection:
        connection.connect()
        kept = connection.sock
        for _ in range(2):
            connection.request("GET", f"{API}/live")
            answer = connection.getresponse()
            assert (answer.status, bool(answer.read())) == (200, True)
            assert connection.sock is kept, "no other connection was made"
            time.sleep(0.4)


def test_who_goes_away_while_sending_leaves_no_row(bench: Bench) -> None:
    before = count(bench)
    sent(bench, b"half of it", 1000).close()
    bench.inspect("part", encoded(good_part(1)))
    assert count(bench) == before + 1


def test_who_goes_away_before_the_answer_has_a_row_all_the_same(bench: Bench) -> None:
    before, data = count(bench), encoded(good_part(2))
    sent(bench, data, len(data)).close()
    until = time.monotonic() + 60
    while count(bench) == before and time.monotonic() < until:
        time.sleep(0.01)
    rows = bench.admin.get(f"{API}/inspections", params={"serial": "gone"}).json()["items"]
    assert [row["verdict"] for row in rows] == ["OK"]


@pytest.mark.parametrize("name", ["..%2F..%2Fetc%2Fpasswd", "a%00b", "%ff"], ids=str)
def test_no_name_in_an_address_leads_out_of_the_folder(bench: Bench, name: str) -> None:
    for method, path in ACCESS:
        if "{" not in path:
            continue
        address = path.replace("{recipe}", "part") if path.count("{") > 1 else path
        for hole in ("recipe", "version", "inspection", "sha256", "golden", "job", "user", "token", "place", "name"):
            address = address.replace(f"{{{hole}}}", name)
        status = bench.admin.request(method, address).status_code
        assert 400 <= status < 500, (method, address, status)


def test_a_sent_file_name_is_text_and_never_a_path(bench: Bench) -> None:
    files = {"image": ("../../../escaped.png", encoded(good_part(3)), "image/png")}
    told = bench.admin.post(f"{API}/recipes/part/inspections", files=files).json()
    bench.station.flush()
    folder = bench.station.store.folder
    assert told["name"] == "../../../escaped.png"
    assert not list(folder.parent.rglob("escaped*"))
    assert bench.admin.get(told["links"]["image"]).status_code == 200


def test_markup_in_a_note_is_shown_as_text(bench: Bench) -> None:
    told = bench.inspect("part", encoded(scratched_part(102).grey))
    said = {"label": "unsure", "note": HOSTILE}
    assert bench.admin.put(f"{API}/inspections/{told['id']}/label", json=said).status_code == 200
    page = bench.with_role("operator").get(f"/results/{told['id']}").text
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)" in page


@contextmanager
def mounted(options: str) -> Iterator[Path]:
    """A small file system of its own."""
    if not ROOT or shutil.which("mount") is None:
        pytest.skip("only an administrator may mount a small file system")
    with tempfile.TemporaryDirectory() as folder:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False).returncode:
            pytest.skip("no file system can be mounted here")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_disk_that_fills_up_goes_on_judging_and_recovers(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Station._answered

    def late(*answered: Any) -> None:
        time.sleep(0.05)  # the caller has the answer already, and must find the station well
        told(*answered)

    monkeypatch.setattr(Station, "_answered", late)
    with mounted("size=40m") as folder:
        _fill(folder, model)


def _fill(folder: Path, model: Path) -> None:
    with opened(folder / "station", record_within_ms=60_000) as bench:
        bench.taught("part", model)
        rest = shutil.disk_usage(folder).free
        filler = folder / "filler"
        filler.write_bytes(bytes(rest - 64 * 1024))
        with filler.open("ab", buffering=0) as file:
            while shutil.disk_usage(folder).free:
                file.write(bytes(4096))
        answers = [bench.inspect("part", encoded(good_part(n))) for n in range(40)]
        assert {answer["verdict"] for answer in answers} <= {"OK", "NG", "REVIEW"}, "verdicts go on"
        assert not answers[-1]["recorded"], "and say that they are not on the disk"
        ready = bench.admin.get(f"{API}/ready")
        assert (ready.status_code, "disk is full" in ready.text) == (503, True)
        files = [("images", ("1.png", encoded(good_part(50)), "image/png"))]
        refused = bench.admin.post(f"{API}/recipes/part/images", files=files)
        assert (refused.status_code, refused.json()["type"]) == (507, "/errors/disk-full")
        filler.unlink()
        freed = time.monotonic()
        while bench.admin.get(f"{API}/ready").status_code != 200:
            assert time.monotonic() - freed < 2 * LOOK_SECONDS, "also where no part comes meanwhile"
            time.sleep(0.1)
        assert bench.inspect("part", encoded(good_part(1)))["recorded"]
        assert bench.admin.get(f"{API}/ready").status_code == 200


def test_a_folder_on_a_disk_that_is_read_only_is_named() -> None:
    with (
        mounted("size=1m,ro") as folder,
        pytest.raises(DataError, match=r"data cannot be written \(Read-only file system\); a station needs its folder"),
    ):
        Store(folder / "data")


def test_a_picture_is_whole_or_not_there_where_the_disk_breaks_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("blemish.service.store.pictures.os.fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        Pictures(tmp_path).put(encoded(good_part(1)))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_recipe_cannot_name_files_of_the_station(bench: Bench) -> None:
    wrong: list[dict[str, Any]] = [
        {"options": {"checkpoint": "x.pt"}},
        {"options": {"encoder": "/etc/passwd"}},
        {"options": {"spill_folder": "/"}},
        {"options": {"backbone": "/etc/passwd"}},
        {"options": {"looks": "../net.onnx@224:2+3"}},
        {"options": {"include": "0,0,9x9"}},
        {"options": {"recipe": "x.toml"}},
        {"options": {"progress": True}},
        {"options": {"cluster": "auto"}},
        {"options": {"corset": 1}},
        {"options": {"coreset": -1}},
        {"include": ["/etc/passwd"]},
        {"ignore": ["mask.png"]},
    ]
    for settings in wrong:
        made = bench.admin.post(f"{API}/recipes", json={"name": "files", "settings": settings})
        changed = bench.admin.patch(f"{API}/recipes/part", json={"settings": settings}, headers={"If-Match": "*"})
        for answer in (made, changed):
            assert (answer.status_code, answer.json()["type"]) == (422, "/errors/invalid"), settings
    areas = {"include": ["0,0,64x64"], "ignore": ["1,1 5,1 5.5,5"]}
    assert (
        bench.admin.patch(f"{API}/recipes/part", json={"settings": areas}, headers={"If-Match": "*"}).status_code == 200
    )


@pytest.mark.parametrize("asked", [{"kind": "add", "options": {"size": 64}}, {"kind": "tune", "false_rejects": 0.1}])
def test_a_job_says_which_options_it_does_not_take(bench: Bench, asked: dict[str, Any]) -> None:
    answer = bench.admin.post(f"{API}/recipes/part/versions", json=asked | {"inspections": ["x"]})
    assert answer.status_code == 422
    assert "does not take" in answer.json()["detail"]


def test_a_recipe_that_named_files_before_is_not_carried_out(bench: Bench) -> None:
    bench.recipe("older")
    bench.admin.post(f"{API}/recipes/older/images", files=[("images", ("1.png", encoded(good_part(1)), "image/png"))])
    settings = {"options": {"spill_folder": "/"}}
    bench.station.store.write(
        lambda connection: change_recipe(connection, "test", "older", "*", {"settings": settings})
    )
    queued = bench.station.bench.queue("test", find_recipe(bench.station.store.read, "older"), "fit", {})
    assert "cannot be set from here" in wait_for(bench.admin, queued.id)["error"]


def test_the_place_of_a_wrong_setting_is_told(bench: Bench) -> None:
    wrong = {"/settings/options/encoder": {"options": {"encoder": "x"}}, "/settings/ignore": {"ignore": ["mask.png"]}}
    for pointer, settings in wrong.items():
        answer = bench.admin.post(f"{API}/recipes", json={"name": "place", "settings": settings})
        assert answer.json()["errors"] == [{"pointer": pointer}]
