"""The one thread that writes: what waits is committed together, and each caller learns when it is on the disk."""

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar

from blemish.service.problems import Problem

__all__ = ["Change", "Writer", "is_full"]

T = TypeVar("T")
Change: TypeAlias = Callable[[sqlite3.Connection], T]
"""What is to be written, in the transaction that it is given."""

GROUP = 256
"""Changes of one commit."""


class Writer:
    """Runs changes one after the other, in groups of one commit (SQLite, WAL, synchronous=FULL).

    `on_full` is called when the disk is full, and tells whether it could make room: then the group is tried again.
    `on_end` is called when a transaction has ended, before anybody is told.
    """

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], on_full: Callable[[], bool], on_end: Callable[[], None]
    ) -> None:
        self._connect, self._on_full, self._on_end = connect, on_full, on_end
        self._lock = threading.Lock()
        self._closed = False
        self._queue: queue.SimpleQueue[tuple[Change[Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, change: Change[T]) -> "Future[T]":
        """Queue a change; the future is done when it is on the disk, or has failed."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                future.set_exception(Problem("not-ready", "The station is being stopped."))
            else:
                self._queue.put((change, future))
        return future

    def write(self, change: Change[T]) -> T:
        """Make a change and wait until it is on the disk. Raises what the change raises, and Problem (disk-full)."""
        return self.submit(change).result()

    @property
    def waiting(self) -> int:
        """How many changes wait."""
        return self._queue.qsize()

    def close(self) -> None:
        """Write what waits, and end."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        connection = self._connect()
        try:
            while (first := self._queue.get()) is not None:
                group, last = [first], False
                while len(group) < GROUP and not self._queue.empty():
                    more = self._queue.get()
                    if more is None:
                        last = True
                        break
                    group.append(more)
                self._commit(connection, group)
                if last:
                    return
        finally:
            connection.close()

    def _commit(self, connection: sqlite3.Connection, group: list[tuple[Change[Any], Future[Any]]]) -> None:
        for attempt in range(2):
            try:
                done = _transaction(connection, group)
            except sqlite3.Error as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if attempt == 0 and is_full(error) and self._on_full():
                    continue
                failure = _failure(error)
                done = [(future, None, failure) for _, future in group]
            break
        self._on_end()
        for future, value, failed in done:
            if failed is not None:
                future.set_exception(failed)
            else:
                future.set_result(value)


def _transaction(
    connection: sqlite3.Connection, group: list[tuple[Change[Any], Future[Any]]]
) -> list[tuple[Future[Any], Any, Exception | None]]:
    """Run a group in one transaction; a change that fails by itself is undone alone. Raises sqlite3.Error."""
    done: list[tuple[Future[Any], Any, Exception | None]] = []
    several = len(group) > 1  # one by itself needs no savepoint, which is a tenth of a commit
    connection.execute("BEGIN IMMEDIATE")
    for change, future in group:
        if several:
            connection.execute("SAVEPOINT one")
        try:
            done.append((future, change(connection), None))
        except Exception as error:
            if isinstance(error, sqlite3.Error) and (is_full(error) or not connection.in_transaction):
                raise  # all of the group has failed with it
            connection.execute("ROLLBACK TO one" if several else "ROLLBACK")
            done.append((future, None, error))
        if several:
            connection.execute("RELEASE one")
    if connection.in_transaction:
        connection.execute("COMMIT")
    return done


def is_full(error: sqlite3.Error) -> bool:
    """Whether the disk has no room, or does not take what is written."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def _failure(error: sqlite3.Error) -> Exception:
    if is_full(error):
        return Problem("disk-full", f"The station's disk does not take what is written ({error}); free some space.")
    return error
