"""What is wrong with all of a station stands on the page Line and in the log, where people look."""

import logging
from collections.abc import Iterator
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
def bench(tmp_path: Path, model: Path) -> Iterator[Bench]:
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
    assert "ディスクがいっぱい" not in viewer.get("/line").text, "it takes what is written again"


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
