"""The store: what it refuses to open, what a kill leaves, a full disk, retention, the chained audit log."""

import datetime
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest
from parts import good_part
from shell import RunCli
from station_bench import encoded

from blemish.errors import DataError, OptionError
from blemish.service.clock import later, new_id, now
from blemish.service.problems import Problem
from blemish.service.serving import serve
from blemish.service.settings import read_settings
from blemish.service.store import audit_export
from blemish.service.store.audit import record, verify
from blemish.service.store.history import Filter, each_inspection, list_inspections
from blemish.service.store.inspections import Inspection, add_inspection, find_inspection, picture_stored
from blemish.service.store.jobs import INTERRUPTED, add_job, end_job, find_job, name_version, next_job
from blemish.service.store.labels import label_inspection
from blemish.service.store.recipes import Recipe, RecipeSettings, add_recipe
from blemish.service.store.store import Store
from blemish.service.store.users import list_tokens
from blemish.service.work.keeper import Keeper


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "data", ballast=0)
    yield opened
    opened.close()


def recipe_in(store: Store, **settings: int) -> Recipe:
    """A recipe."""
    made = RecipeSettings.model_validate(settings)
    return store.write(
        lambda connection: add_recipe(connection, "test", name="part", title="", number=None, settings=made)
    )


def row(
    recipe: str, *, verdict: str = "OK", sha: str = "0" * 64, at: str | None = None, score: float = 1
) -> Inspection:
    """An inspection that nobody made."""
    return Inspection(
        id=new_id(),
        at=at or now(),
        recipe=recipe,
        version="v",
        verdict=verdict,
        score=score,
        threshold=2.0,
        review_threshold=2.0,
        times_threshold=score / 2.0,
        percentile=1.0,
        serial=None,
        part=None,
        trigger=None,
        name="picture",
        kind="api",
        source="test",
        late=False,
        error=None,
        note=None,
        regions=[],
        timings={},
        image_sha=sha,
        image_state="pending",
    )


def stored(store: Store, made: Inspection, number: int) -> str:
    """Write a row and its picture; the id."""
    data = encoded(good_part(number))
    sha256, suffix = store.pictures.put(data)
    made = Inspection(**{**vars(made), "image_sha": sha256})
    store.write(lambda connection: add_inspection(connection, made))
    store.write(lambda connection: picture_stored(connection, made.id, sha256, suffix, len(data)))
    return made.id


def test_two_stations_never_share_a_folder(store: Store) -> None:
    with pytest.raises(DataError, match="is at work"):
        Store(store.folder)


def test_a_newer_database_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    Store(tmp_path, ballast=0).close()
    connection = sqlite3.connect(tmp_path / "station.db")
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(DataError, match="newer blemish"):
        Store(tmp_path, ballast=0)
    assert sqlite3.connect(tmp_path / "station.db").execute("PRAGMA user_version").fetchone()[0] == 99


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "station.db").write_bytes(b"no database at all" * 1000)
    with pytest.raises(DataError, match=r"station\.db cannot be opened"):
        Store(tmp_path, ballast=0)


def test_pictures_without_their_database_are_not_taken_for_rubbish(tmp_path: Path) -> None:
    first = Store(tmp_path, ballast=0)
    stored(first, row(recipe_in(first).id), 1)
    first.close()
    pictures = list((tmp_path / "images").glob("??/*"))
    for name in ("station.db", "station.db-wal", "station.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    for left in (None, b""):  # lost, or cut to nothing
        if left is not None:
            (tmp_path / "station.db").write_bytes(left)
        with pytest.raises(DataError, match="--adopt"):
            Store(tmp_path, ballast=0)
    adopted = Store(tmp_path, ballast=0, adopt=True)
    keeper = Keeper(adopted)
    keeper.sweep()
    keeper.close()
    adopted.close()
    Store(tmp_path, ballast=0).close()  # it was said once
    assert list((tmp_path / "images").glob("??/*")) == pictures


def test_a_database_in_which_nothing_was_done_is_none(tmp_path: Path) -> None:
    Store(tmp_path, ballast=0).close()
    picture = tmp_path / "images" / "00" / f"{'0' * 64}.png"
    picture.parent.mkdir()
    picture.write_bytes(b"from before")
    with pytest.raises(DataError, match="missing or empty"):
        Store(tmp_path, ballast=0)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_a_folder_that_the_station_makes_is_its_own(tmp_path: Path) -> None:
    Store(tmp_path / "new", ballast=0).close()
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


def test_a_model_whose_job_was_killed_before_it_was_listed_is_swept(tmp_path: Path) -> None:
    store = Store(tmp_path, ballast=0)
    recipe = recipe_in(store).id
    store.write(lambda connection: add_job(connection, "test", recipe, "fit", {}))
    job = store.write(next_job)
    assert job is not None
    half = tmp_path / "models" / "r" / f"{job.id}-0123.blemish"
    half.parent.mkdir()
    half.write_bytes(b"")
    store.close()
    again = Store(tmp_path, ballast=0)
    assert not half.exists()
    assert find_job(again.read, job.id).error == INTERRUPTED
    again.close()


def test_a_picture_that_was_kept_is_not_lost_by_what_is_taken_away_after_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Keeper) -> int:
        raise OSError("no room for the audit log")

    monkeypatch.setattr(Keeper, "sweep", broken)
    part = row(recipe_in(store).id)
    store.write(lambda connection: add_inspection(connection, part))
    keeper = Keeper(store)
    keeper.keep(part.id, encoded(good_part(1)))
    keeper.close()
    store.write(lambda _: None)
    assert find_inspection(store.read, part.id).image_state == "stored"
    assert not keeper.lost


def test_models_that_no_version_lists_are_named_and_left(tmp_path: Path) -> None:
    store = Store(tmp_path, ballast=0)
    stray = tmp_path / "models" / "r" / "v-0123.blemish"
    stray.parent.mkdir()
    stray.write_bytes(b"")
    assert store.strays() == [stray]
    store.close()


def test_new_audit_rows_are_exported_once_a_day_whatever_the_clock_does(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on(day: str) -> int:
        monkeypatch.setattr(audit_export, "now", lambda: f"{day}T00:00:00.000Z")
        return audit_export.export_audit(store.read, tmp_path / "audit")

    def act(count: int) -> None:
        for _ in range(count):
            store.write(lambda connection: record(connection, "test", "tried", "é"))

    assert on("2026-01-01") == 0, "no file where there is nothing to tell"
    act(3)
    assert on("2026-01-01") == 3
    act(2)
    assert on("2026-01-01") == 0, "the next day tells it"
    assert on("2030-01-01") == 2, "the clock jumped"
    act(1)
    assert on("2026-01-02") == 1, "and was set back"
    lines = [line for file in (tmp_path / "audit").iterdir() for line in file.read_text("utf-8").splitlines()]
    rows = sorted((json.loads(line) for line in lines), key=lambda row: row["seq"])
    assert [row["seq"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["hash"] == verify(store.read).head


@pytest.mark.skipif(os.geteuid() == 0, reason="to an administrator everything seems writable")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match="cannot be written"):
        Store(tmp_path / "data")
    tmp_path.chmod(0o700)


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    with pytest.raises(DataError, match="cannot be written"):
        Store(tmp_path / "data")


def test_after_a_kill_jobs_have_failed_and_pictures_are_lost_or_found(tmp_path: Path) -> None:
    first = Store(tmp_path, ballast=0)
    recipe = recipe_in(first)
    data = encoded(good_part(1))
    sha256, suffix = first.pictures.put(data)
    unlisted, _ = first.pictures.put(encoded(good_part(2)))
    listed, lost = row(recipe.id, sha=sha256), row(recipe.id, sha="1" * 64)
    written = row(recipe.id, sha=unlisted)
    stored(first, row(recipe.id), 1)
    for each in (listed, lost, written):
        first.write(lambda connection, each=each: add_inspection(connection, each))  # type: ignore[misc]
    job = first.write(lambda connection: add_job(connection, "test", recipe.id, "fit", {}))
    first.write(next_job)
    (first.work / "half").mkdir()
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "of a job that is over").write_bytes(b"model")
    first.pictures.path(sha256, suffix).with_name(".x.part").write_bytes(b"half")
    first.close()
    second = Store(tmp_path, ballast=0)
    assert second.lost == [lost.id]
    assert find_inspection(second.read, listed.id).image_state == "stored"
    assert find_inspection(second.read, written.id).image_state == "stored", "its file was there already"
    assert (find_job(second.read, job.id).state, find_job(second.read, job.id).error) == ("failed", INTERRUPTED)
    assert not list(second.work.iterdir())
    assert not list((tmp_path / "uploads").iterdir())
    assert not list((tmp_path / "images").glob("??/.*"))
    second.close()


def test_a_full_disk_gives_up_the_ballast_and_then_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path, ballast=4096)
    recipe = recipe_in(store)
    ballast = tmp_path / "ballast"
    assert ballast.stat().st_size == 4096
    pages = store.write(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
    store.write(lambda connection: connection.execute(f"PRAGMA max_page_count={pages}"))
    big = Inspection(**{**vars(row(recipe.id)), "regions": [{"note": "x" * 100_000}]})
    with pytest.raises(Problem) as told:
        store.write(lambda connection: add_inspection(connection, big))
    assert told.value.name == "disk-full"
    assert not ballast.exists()
    assert store.full
    store.write(lambda connection: connection.execute("PRAGMA max_page_count=1000000"))
    store.write(lambda connection: add_inspection(connection, big))
    assert find_inspection(store.read, big.id).id == big.id, "it goes on once there is room"
    store.close()


def test_one_change_that_fails_undoes_itself_alone(store: Store) -> None:
    recipe = recipe_in(store)

    def fails(connection: sqlite3.Connection) -> None:
        add_inspection(connection, row(recipe.id))
        raise Problem("conflict", "no")

    written, failed = store.submit(lambda c: add_inspection(c, row(recipe.id))), store.submit(fails)
    assert written.result().seq
    assert isinstance(failed.exception(), Problem)
    assert store.read.execute("SELECT count(*) FROM inspection").fetchone()[0] == 1


def test_a_lone_change_that_fails_leaves_nothing_and_the_next_is_made(store: Store) -> None:
    def half(connection: sqlite3.Connection) -> None:
        add_inspection(connection, row("r"))
        raise Problem("conflict", "no")

    for _ in range(2):
        with pytest.raises(Problem, match="no"):
            store.write(half)
    made = store.write(lambda connection: add_inspection(connection, row("r")))
    assert [each.id for each in list_inspections(store.read, Filter(), 10)] == [made.id]


def test_a_change_that_sqlite_refuses_fails_alone(store: Store) -> None:
    recipe = recipe_in(store)
    wait = threading.Event()
    first = store.submit(lambda connection: wait.wait(10))
    wrong = store.submit(lambda connection: connection.execute("SELECT * FROM nowhere"))
    right = store.submit(lambda connection: add_inspection(connection, row(recipe.id)))
    wait.set()
    assert first.result()
    assert isinstance(wrong.exception(), sqlite3.OperationalError)
    assert right.result().seq, "it waited for the same commit"


def test_a_station_that_stops_writes_no_more_and_keeps_nobody_waiting(store: Store) -> None:
    store.writer.close()
    with pytest.raises(Problem, match="being stopped"):
        store.write(lambda connection: None)


def test_threads_that_end_take_their_connections_along(store: Store) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("this system does not list open files")
    store.read.execute("SELECT 1")
    counts = []
    for _ in range(20):
        reader = threading.Thread(target=lambda: store.read.execute("SELECT count(*) FROM inspection").fetchone())
        reader.start()
        reader.join()
        counts.append(len(list(descriptors.iterdir())))
    assert max(counts) - counts[0] < 3, "SQLite keeps a file open for a moment, but not three for each thread"


def test_an_export_goes_on_in_another_thread(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blemish.service.store.history.PAGE", 1)
    recipe = recipe_in(store)
    made = [row(recipe.id) for _ in range(3)]
    for each in made:
        store.write(lambda connection, each=each: add_inspection(connection, each))  # type: ignore[misc]
    rows = each_inspection(store.database.connect, Filter())
    found: list[Inspection] = []
    first = threading.Thread(target=lambda: found.append(next(rows)))
    first.start()
    first.join()
    assert [each.id for each in [*found, *rows]] == [each.id for each in reversed(made)]


def test_a_job_whose_version_is_listed_is_neither_cancelled_nor_interrupted(tmp_path: Path) -> None:
    store = Store(tmp_path, ballast=0)
    recipe = recipe_in(store)
    values = ["v1", recipe.id, 1, "fit", "", "", "{}", "test", now(), ""]
    names = "id, recipe, number, kind, sha256, model, info, by, at, why"
    store.write(lambda each: each.execute(f"INSERT INTO version ({names}) VALUES ({', '.join('?' * 10)})", values))
    gone, kept = (store.write(lambda c: add_job(c, "test", recipe.id, "fit", {"promote": True})) for _ in range(2))
    for _ in range(2):
        store.write(next_job)
    store.write(lambda connection: end_job(connection, gone.id, "cancelled"))
    with pytest.raises(Problem, match="was cancelled"):
        store.write(lambda connection: name_version(connection, gone.id, "v1"))
    store.write(lambda connection: name_version(connection, kept.id, "v1"))
    assert store.write(lambda connection: end_job(connection, kept.id, "cancelled")).state == "running"
    store.close()
    again = Store(tmp_path, ballast=0)
    found = find_job(again.read, kept.id)
    assert (found.state, found.version, found.result["number"]) == ("done", "v1", 1)
    assert "before this version was put on line" in found.result["not_promoted"]
    again.close()


def test_a_database_of_the_first_form_is_brought_to_the_present_one_after_a_backup(tmp_path: Path) -> None:
    first = files("blemish.service.store") / "migrations" / "001_first.sql"
    with closing(sqlite3.connect(tmp_path / "station.db")) as connection:
        connection.executescript(f"{first.read_text('utf-8')}; PRAGMA user_version=1;")
        old = {name: value for name, value in vars(row("r")).items() if name not in ("times_threshold", "seq")}
        old |= {"regions": "[]", "timings": "{}"}
        marks = ", ".join("?" * len(old))
        for kind in ("api", "batch", "v2", "batch"):
            each = old | {"id": f"{old['id']} {kind} {connection.total_changes}", "kind": kind}
            connection.execute(f"INSERT INTO inspection ({', '.join(old)}) VALUES ({marks})", list(each.values()))
        connection.execute("INSERT INTO hour VALUES (?, 'r', 'OK', 9, 1, 9)", [old["at"][:13]])  # five rows are gone
        connection.execute("INSERT INTO hour VALUES ('2026-01-01T00', 'r', 'NG', 3, 1, 3)")
        connection.execute("UPDATE inspection SET id = ? WHERE kind = 'api'", [old["id"]])
        connection.commit()
    store = Store(tmp_path, ballast=0)
    counted = [tuple(each) for each in store.read.execute("SELECT kind, verdict, count FROM hour ORDER BY hour, kind")]
    assert counted == [("api", "NG", 3), ("api", "OK", 6), ("batch", "OK", 2), ("v2", "OK", 1)]
    recipe_in(store)
    found = find_inspection(store.read, old["id"])
    assert (found.score, found.times_threshold) == (1, None), "whether its score had a zero is not known any more"
    store.close()
    kept = sorted(path.name[:15] for path in (tmp_path / "backups").iterdir())
    assert kept == [f"station-form-{number}-" for number in range(1, 6)], "one before each step"
    Store(tmp_path / "new", ballast=0).close()
    assert not (tmp_path / "new" / "backups").exists(), "a new one has nothing to lose"


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(verdict="NG"),
        Filter(verdict="NG", recipe="r", version="v"),
        Filter(verdict="REVIEW", label="none"),
        Filter(verdict="ERROR", since="2026"),
        Filter(verdict="NG", kind="line"),
        Filter(verdict="NG", kind="batch"),
    ],
    ids=str,
)
def test_parts_that_were_not_ok_are_found_without_reading_the_others(store: Store, wanted: Filter) -> None:
    plan = plan_of(store, wanted)
    assert "COVERING INDEX inspection_verdict" in plan
    assert "SCAN inspection" not in plan


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(serial="S"),
        Filter(serial="S", verdict="ERROR", before=9),
        Filter(serial="S", recipe="r", version="v", label="none", min_score=1, since="2026"),
        Filter(serial="S", kind="line"),
    ],
    ids=str,
)
def test_of_many_parts_with_one_serial_number_none_is_read_in_vain(store: Store, wanted: Filter) -> None:
    assert "COVERING INDEX inspection_serial (serial=?" in plan_of(store, wanted)


@pytest.mark.parametrize("kind", ["batch", "try"])
def test_parts_that_no_line_sent_are_found_without_reading_the_others(store: Store, kind: str) -> None:
    for wanted in (Filter(kind=kind), Filter(kind=kind, recipe="r", version="v", label="none", since="2026")):
        assert "COVERING INDEX inspection_kind (kind=?" in plan_of(store, wanted)


def test_a_line_is_found_among_large_batches_without_reading_these(store: Store) -> None:
    """The page Line asks for the newest parts of each recipe again and again."""
    assert "COVERING INDEX inspection_recipe (recipe=?" in plan_of(store, Filter(recipe="r", kind="line"))


def plan_of(store: Store, wanted: Filter) -> str:
    """How SQLite finds what a search asks for."""
    asked: list[str] = []
    store.read.set_trace_callback(asked.append)
    list_inspections(store.read, wanted, 50)
    store.read.set_trace_callback(None)
    return " ".join(row["detail"] for row in store.read.execute(f"EXPLAIN QUERY PLAN {asked[-1]}"))


def test_retention_takes_what_is_old_and_nothing_that_is_needed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Keeper, "_free", lambda self: (50, 100))
    recipe = recipe_in(store, keep_ok_days=10, keep_other_days=20)
    old = later(-15 * 86_400)
    gone = stored(store, row(recipe.id, at=old), 1)
    kept = [
        stored(store, row(recipe.id, at=old, verdict="NG"), 2),
        stored(store, row(recipe.id, at=old), 3),
        stored(store, row(recipe.id, at=old), 4),
        stored(store, row(recipe.id), 4),  # the same picture again, today
    ]
    store.write(lambda connection: label_inspection(connection, "test", kept[1], "good", ""))
    (store.folder / "images" / "zz").mkdir()
    unknown = store.folder / "images" / "zz" / "unknown.png"
    unknown.write_bytes(b"who put this here?")
    keeper = Keeper(store)
    assert keeper.sweep() == 2
    keeper.close()
    assert find_inspection(store.read, gone).image_state == "expired"
    assert store.read.execute("SELECT count(*) FROM picture").fetchone()[0] == 3
    files = {path.stem for path in store.pictures.folder.glob("??/*")}
    assert files == {row[0] for row in store.read.execute("SELECT sha256 FROM picture")} | {"unknown"}


def test_a_disk_that_is_nearly_full_loses_the_oldest_good_parts_first(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_in(store)
    good, bad = stored(store, row(recipe.id), 1), stored(store, row(recipe.id, verdict="NG"), 2)
    monkeypatch.setattr(Keeper, "_free", lambda self: (5, 100))
    keeper = Keeper(store)
    keeper.sweep()
    keeper.close()
    assert find_inspection(store.read, good).image_state == "expired"
    assert find_inspection(store.read, bad).image_state == "stored"


def clock(monkeypatch: pytest.MonkeyPatch, days: float, *, lived: float = 0) -> None:
    """A clock that reads so many days after now, when the station has lived for so many."""
    wall, read = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days), time.monotonic()
    monkeypatch.setattr("blemish.service.work.lived._wall", lambda: wall)
    monkeypatch.setattr("blemish.service.work.lived.monotonic", lambda: read + 86_400 * lived)


def swept(store: Store, *, trust_clock: bool = False) -> tuple[int, str | None]:
    """How many pictures a station takes away that starts over this folder, and what it notes."""
    keeper = Keeper(store, trust_clock=trust_clock)
    try:
        return keeper.sweep(), keeper.lived.note
    finally:
        keeper.close()


def test_a_clock_that_leaps_by_years_makes_nothing_too_old(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipe_in(store)
    old = stored(store, row(recipe.id), 1)
    clock(monkeypatch, 1800)
    gone, note = swept(store)
    assert gone == 0
    assert note is not None
    assert "is 1800 days ahead" in note
    stored(store, row(recipe.id, at=later(1800 * 86_400)), 2)  # as it is recorded now
    assert swept(store)[0] == 0, "nor after a restart"
    assert find_inspection(store.read, old).image_state == "stored"
    clock(monkeypatch, 0.1)
    assert swept(store) == (0, None), "the clock was set"
    clock(monkeypatch, 1800)
    assert swept(store, trust_clock=True) == (1, None)
    left = [row["id"] for row in store.read.execute("SELECT id FROM inspection")]
    assert old not in left, "the row is past its time as well"
    assert len(left) == 1
    clock(monkeypatch, 1801)
    assert swept(store) == (0, None), "what was trusted once is known from then on"


def test_a_clock_that_leaps_while_the_station_runs_is_not_followed_but_lived_time_is(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_in(store, keep_ok_days=7)
    stored(store, row(recipe.id), 1)
    keeper = Keeper(store)
    clock(monkeypatch, 1800, lived=5)
    assert keeper.sweep() == 0
    clock(monkeypatch, 1810, lived=15)
    assert keeper.sweep() == 1
    assert keeper.lived.note is not None
    keeper.close()


def test_a_station_that_was_off_for_holidays_follows_its_clock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipe_in(store, keep_ok_days=7)
    stored(store, row(recipe.id), 1)
    swept(store)
    clock(monkeypatch, 25)
    assert swept(store) == (1, None)


def test_history_is_in_order_though_the_clock_jumps(store: Store) -> None:
    recipe = recipe_in(store)
    made = [row(recipe.id, at=later(hours * 3600.0), score=hours) for hours in (0, -48, 3, -1)]
    for each in made:
        store.write(lambda connection, each=each: add_inspection(connection, each))  # type: ignore[misc]
    ids = [each.id for each in made]
    assert [each.id for each in list_inspections(store.read, Filter(), 9)] == ids[::-1]
    assert [each.id for each in each_inspection(store.database.connect, Filter(recipe=recipe.id))] == ids[::-1]
    recent = Filter(since=later(-7200), until=later(60))
    assert [each.id for each in list_inspections(store.read, recent, 9)] == [ids[3], ids[0]]
    assert [each.id for each in list_inspections(store.read, Filter(min_score=0), 9)] == [ids[2], ids[0]]


def test_a_changed_audit_log_is_found_out(store: Store, run_cli: RunCli) -> None:
    recipe = recipe_in(store)
    seen = stored(store, row(recipe.id), 1)
    for label in ("good", "bad", "unsure"):
        store.write(lambda connection, label=label: label_inspection(connection, "eve", seen, label, ""))  # type: ignore[misc]
    assert verify(store.read).wrong is None
    sound = run_cli("audit", "verify", store.folder)
    assert sound.code == 0
    head = sound.stdout.split()[-1]
    assert run_cli("audit", "verify", store.folder, "--expect", head).code == 0
    store.write(lambda connection: connection.execute("DELETE FROM audit WHERE seq = 4"))
    assert run_cli("audit", "verify", store.folder).code == 0, "what is cut from the end cannot be seen,"
    cut = run_cli("audit", "verify", store.folder, "--expect", head)
    assert cut.code == 2, "but for a hash that was kept elsewhere"
    store.write(lambda connection: connection.execute("UPDATE audit SET who = 'adam' WHERE seq = 2"))
    changed = run_cli("audit", "verify", store.folder)
    assert changed.code == 2
    assert "row 2" in changed.stderr
    assert run_cli("audit", "verify", store.folder.parent / "none").code == 2


def test_an_address_for_others_needs_somebody_with_a_password(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="nobody has a password"):
        serve(tmp_path, host="0.0.0.0", port=0)
    store = Store(tmp_path, ballast=0)
    assert list_tokens(store.read) == []
    store.close()


@pytest.mark.parametrize(("text", "said"), [("port = 'x'", "port"), ("hots = []", "hots"), ("port =", "is not TOML")])
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "blemish.toml").write_text(text)
    with pytest.raises(DataError, match=said):
        read_settings(tmp_path)
