"""What is wrong with all of a station stands on the page Line and in the log, where people look."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from station_bench import API, Bench, opened

from blemish.service.api.history import json_lines
from blemish.service.store.history import Filter
from blemish.service.store.store import Store
from blemish.service.work.keeper import Keeper

FULL = "The disk is full: verdicts may not be recorded; free some space."
NEARLY = "The disk is nearly full: no pictures of parts are kept any more; free some space."
FILLING = "The disk is filling up: pictures of OK parts are taken away ahead of their time; free some space."


@pytest.fixture
def bench(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr("blemish.service.work.keeper.LOOK_SECONDS", 0.05)
    with opened(tmp_path / "data") as bench:
        bench.taught("part", model)
        yield bench


def test_a_full_disk_is_told_on_the_line_and_once_in_the_log(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Verdicts went out with recorded=false, and nobody but the machine that sent the part was told."""
    viewer = bench.with_role("viewer")
    assert FULL not in viewer.get("/").text
    store = bench.station.store
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(Store, "_takes", lambda self, size: False)
        for _ in range(3):
            store._give_up_ballast()
        for page in ("/", "/line"):
            assert FULL in viewer.get(page).text
        assert viewer.patch(f"{API}/me", json={"lang": "ja"}).status_code == 200
        assert "ディスクがいっぱい" in viewer.get("/line").text
    assert [each.message for each in caplog.records].count(
        "the disk is full: verdicts may not be recorded; free some space"
    ) == 1
    wait_until(lambda: "ディスクがいっぱい" not in viewer.get("/line").text)  # it takes what is written again


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until something is so that the station does by itself."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def test_neither_a_page_nor_a_probe_writes_to_a_full_disk(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each refresh of each screen wrote a megabyte, to see whether the disk takes it."""
    tried: list[str] = []

    def takes(self: Store, size: int) -> bool:
        tried.append(threading.current_thread().name)
        return False

    monkeypatch.setattr(Store, "_takes", takes)
    monkeypatch.setattr("blemish.service.work.keeper.LOOK_SECONDS", 0.05)
    with opened(tmp_path / "data") as bench:
        bench.taught("part", model)
        viewer = bench.with_role("viewer")
        bench.station.store._give_up_ballast()
        for _ in range(3):
            for path in ("/", "/line"):
                assert FULL in viewer.get(path).text
            assert FULL in viewer.get(f"{API}/ready").json()["reasons"]
        wait_until(lambda: bool(tried))
        assert set(tried) == {"keeper"}


def test_what_was_given_up_for_a_full_disk_is_set_aside_again_once_there_is_room(tmp_path: Path) -> None:
    """It was not where a verdict was recorded in between: the next full disk found nothing to give up."""
    store = Store(tmp_path, ballast=4096)
    store._give_up_ballast()
    store.full = False  # as after a verdict that was recorded
    store.look_again()
    assert (tmp_path / "ballast").stat().st_size == 4096
    store.close()


@pytest.mark.parametrize(("free", "said"), [(50, None), (5, FILLING), (1, NEARLY)])
def test_pictures_that_are_not_kept_are_told_before_somebody_looks_for_them(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, free: int, said: str | None
) -> None:
    monkeypatch.setattr(Keeper, "_free", lambda self: (free, 100))
    notes = bench.admin.get(f"{API}/ready").json()["notes"]
    assert notes == ([] if said is None else [said])
    page = bench.with_role("operator").get("/").text
    assert all((each == said) == (each in page) for each in (FILLING, NEARLY))


def copy_rows(bench: Bench, id: str, count: int, *, verdict: str = "verdict", label: str = "label") -> None:
    """So many copies of the row of one part, without its picture; `verdict` and `label` as SQL."""
    copied = (
        "INSERT INTO inspection (id, at, recipe, version, verdict, name, kind, source, image_sha, image_state, label) "
        f"SELECT ?, at, recipe, version, {verdict}, name, kind, source, image_sha, 'off', {label} "
        "FROM inspection WHERE id = ?"
    )
    rows = [(f"COPY {number}", id) for number in range(count)]
    bench.station.store.write(lambda connection: connection.executemany(copied, rows))


def test_json_lines_are_sent_by_the_hundred(bench: Bench) -> None:
    """A row at a time was sent, each of which changed threads twice: 100,000 rows took four times as long as CSV."""
    part = bench.inspect("part", b"is no picture")
    bench.station.flush()
    copy_rows(bench, part["id"], 999)
    pieces = list(json_lines(bench.station, Filter()))
    assert b"".join(pieces).count(b"\n") == 1000
    assert len(pieces) <= 10


def test_more_than_five_hundred_bad_parts_are_counted(bench: Bench) -> None:
    part = bench.inspect("part", b"is no picture")
    bench.station.flush()
    copy_rows(bench, part["id"], 600, verdict="'OK'", label="'bad'")
    page = bench.with_role("operator").get("/recipes/part/correct").text
    assert "600 parts are known to be bad; 600 of them had been let through." in page
