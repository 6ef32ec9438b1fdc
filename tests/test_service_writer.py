"""Who writes: a thread that has time, or the writer's own; each row is on the disk before anybody is told of it."""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from parts import good_part
from station_bench import API, encoded, opened

from blemish.service.problems import Problem
from blemish.service.station import Station
from blemish.service.store.writer import Writer
from blemish.service.work.part import Part, Ticket

PNG = {"Content-Type": "image/png"}


class Disk:
    """Stands before the connection that writes: its commits wait, or fail, as the test says."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.committing, self.goes_on = threading.Event(), threading.Event()
        self.goes_on.set()
        self.failure: BaseException | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql == "COMMIT":
            self.committing.set()
            self.goes_on.wait(30)
            if self.failure is not None:
                raise self.failure
        return self._connection.execute(sql, *values)


def full() -> sqlite3.Error:
    """What SQLite says of a full disk."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


class Notes:
    """A writer over a database of its own, which holds texts."""

    def __init__(self, folder: Path) -> None:
        self.path, self.ends = folder / "notes.db", 0
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE note (text TEXT)")
        self.disk: Any = Disk(connection)
        self.writer = Writer(lambda: self.disk, lambda: False, self._ended)

    def _ended(self) -> None:
        self.ends += 1

    def add(self, text: str, *, here: bool = False) -> "Future[int]":
        """Write a text; the future is how many there are then."""

        def change(connection: sqlite3.Connection) -> int:
            connection.execute("INSERT INTO note VALUES (?)", [text])
            return int(connection.execute("SELECT count(*) FROM note").fetchone()[0])

        return self.writer.submit(change, here=here)

    def seen(self) -> list[str]:
        """What another connection finds."""
        reader = sqlite3.connect(self.path)
        try:
            return [text for (text,) in reader.execute("SELECT text FROM note ORDER BY rowid")]
        finally:
            reader.close()

    def group(self, texts: list[str], last: Callable[[sqlite3.Connection], Any]) -> list["Future[Any]"]:
        """Texts that are left to a thread which is slow to wake, and a change by who commits them with its own."""
        awake, self.writer._wake = self.writer._wake, queue.SimpleQueue()
        waiting: list[Future[Any]] = [self.add(text) for text in texts]
        self.writer._wake = awake
        return [*waiting, self.writer.submit(last, here=True)]


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Notes]:
    made = Notes(tmp_path)
    yield made
    made.disk.failure = None
    made.writer.close()


def test_who_has_time_writes_and_nobody_has_to_wake(notes: Notes) -> None:
    names: list[str] = []

    def change(connection: sqlite3.Connection) -> None:
        names.append(threading.current_thread().name)

    notes.writer.submit(change, here=True).result(0)
    notes.writer.submit(change).result()
    assert names == [threading.current_thread().name, "writer"]


def test_what_many_threads_write_is_there_before_they_are_told(notes: Notes) -> None:
    missing: list[str] = []

    def adds(name: int) -> None:
        for number in range(40):
            text = f"{name}-{number}"
            notes.add(text, here=number % 3 > 0).result(30)
            if text not in notes.seen():
                missing.append(text)

    threads = [threading.Thread(target=adds, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missing == []
    assert sorted(notes.seen()) == sorted(f"{name}-{number}" for name in range(6) for number in range(40))


def test_who_comes_while_another_commits_does_not_wait_for_it(notes: Notes) -> None:
    notes.disk.goes_on.clear()
    first: list[Future[int]] = []
    leader = threading.Thread(target=lambda: first.append(notes.add("first", here=True)))
    leader.start()
    assert notes.disk.committing.wait(30)
    later = [notes.add(f"later {number}", here=True) for number in range(3)]
    assert not any(each.done() for each in later)
    notes.disk.goes_on.set()
    assert [each.result(30) for each in later] == [2, 3, 4]
    leader.join()
    assert first[0].result(0) == 1


@pytest.mark.parametrize(
    "failure", [sqlite3.OperationalError("disk I/O error"), MemoryError("none"), SystemExit(1)], ids=repr
)
def test_a_commit_that_fails_is_told_to_all_who_wait_for_it(notes: Notes, failure: BaseException) -> None:
    notes.disk.failure = failure
    waiting = notes.group(["a", "b"], lambda connection: None)
    assert [each.exception(0) for each in waiting] == [failure] * 3
    notes.disk.failure = None
    assert notes.add("after", here=True).result(0) == 1
    assert notes.seen() == ["after"]


def test_a_full_disk_is_named_to_all_who_wait(notes: Notes) -> None:
    notes.disk.failure = full()
    waiting = notes.group(["a", "b"], lambda connection: None)
    for each in waiting:
        told = each.exception(0)
        assert isinstance(told, Problem)
        assert told.name == "disk-full"


def test_a_change_that_breaks_off_leaves_nothing_of_its_group_and_nobody_waiting(notes: Notes) -> None:
    def breaks(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO note VALUES ('half')")
        raise KeyboardInterrupt

    waiting = notes.group(["a", "b"], breaks)
    assert all(isinstance(each.exception(0), KeyboardInterrupt) for each in waiting)
    assert notes.add("after").result(30) == 1


def test_the_thread_that_writes_outlives_a_mistake(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes.writer, "_on_end", lambda: 1 / 0)
    assert isinstance(notes.add("a").exception(30), ZeroDivisionError)
    monkeypatch.undo()
    assert notes.add("b").result(30) == 2


def test_a_change_that_fails_by_itself_takes_no_other_with_it(notes: Notes) -> None:
    def fails(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO note VALUES ('half')")
        raise Problem("conflict", "no")

    *kept, failed = notes.group(["a", "b"], fails)
    assert [each.result(0) for each in kept] == [1, 2]
    assert isinstance(failed.exception(0), Problem)
    assert notes.seen() == ["a", "b"]
    assert notes.ends == 1, "one commit for all"


def test_a_writer_that_closes_while_others_write_loses_nothing_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    for attempt in range(10):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        notes = Notes(folder)
        made: list[tuple[str, Future[int]]] = []
        begun = threading.Event()

        def adds(name: int, notes: Notes = notes, made: Any = made, begun: threading.Event = begun) -> None:
            for number in range(50):
                text = f"{name}-{number}"
                made.append((text, notes.add(text, here=number % 2 == 0)))
                begun.set()

        threads = [threading.Thread(target=adds, args=(name,)) for name in range(3)]
        for thread in threads:
            thread.start()
        begun.wait(30)
        notes.writer.close()
        for thread in threads:
            thread.join()
        told = {text: each.exception(30) for text, each in made}
        assert len(told) == 150
        assert all(isinstance(error, Problem) for error in told.values() if error is not None)
        assert sorted(notes.seen()) == sorted(text for text, error in told.items() if error is None)


@pytest.mark.parametrize(("threads", "writes"), [(1, "writer"), (2, "inspector-")])
def test_a_thread_that_judges_writes_where_another_can_judge_meanwhile(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, threads: int, writes: str
) -> None:
    names: list[str] = []
    add = "blemish.service.work.inspectors.add_inspection"

    def noted(connection: sqlite3.Connection, row: Any) -> Any:
        names.append(threading.current_thread().name)
        return row

    with opened(tmp_path, threads=threads) as bench:
        bench.taught("part", model)
        monkeypatch.setattr(add, noted)
        part = Part(bench.station.registry.take("part"), encoded(good_part(3)), Ticket("a", "api", "test"))
        bench.station.inspectors.submit(part).result(60)
        monkeypatch.undo()
    assert names[0].startswith(writes)


def test_an_answer_that_is_made_already_waits_for_the_disk(tmp_path: Path, model: Path) -> None:
    with opened(tmp_path) as bench:
        bench.taught("part", model)
        disk = _disk_of(bench.station)
        disk.goes_on.clear()
        answers: list[dict[str, Any]] = []
        caller = threading.Thread(target=lambda: answers.append(bench.inspect("part", encoded(good_part(3)))))
        caller.start()
        assert disk.committing.wait(60)
        time.sleep(0.2)
        assert answers == []
        assert bench.station.store.read.execute("SELECT count(*) FROM inspection").fetchone()[0] == 0
        disk.goes_on.set()
        caller.join()
        assert answers[0]["recorded"]
        assert bench.admin.get(f"{API}/inspections/{answers[0]['id']}").json()["seq"] == answers[0]["seq"]


def test_an_answer_that_was_made_too_soon_is_not_given_where_the_row_is_not_on_the_disk(
    tmp_path: Path, model: Path
) -> None:
    with opened(tmp_path) as bench:
        bench.taught("part", model)
        disk = _disk_of(bench.station)
        disk.failure = full()
        lost = bench.inspect("part", encoded(good_part(3)))
        assert (lost["recorded"], lost["seq"]) == (False, 0)
        disk.failure = None
        assert bench.inspect("part", encoded(good_part(3)))["recorded"]
        assert bench.station.store.read.execute("SELECT count(*) FROM inspection").fetchone()[0] == 1


def _disk_of(station: Station) -> Disk:
    disk = Disk(station.store.writer._connection)
    station.store.writer._connection = disk  # type: ignore[assignment]
    return disk
