"""One writes at a time: what waits is committed together, and each caller learns when it is on the disk."""

import logging
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar

from blemish.service.problems import Problem

__all__ = ["Change", "Writer", "is_full"]

log = logging.getLogger("blemish.service")
T = TypeVar("T")
Change: TypeAlias = Callable[[sqlite3.Connection], T]
"""What is to be written, in the transaction that it is given."""
Waiting: TypeAlias = tuple[Change[Any], Future[Any]]
Done: TypeAlias = tuple[Future[Any], Any, BaseException | None]

GROUP = 256
"""Changes of one commit."""


class Writer:
    """Runs changes one after the other, in groups of one commit (SQLite, WAL, synchronous=FULL).

    One thread of its own commits what others leave to it. Whoever has time may commit instead: that spares the change a
    wait for that thread to wake.

    `on_full` is called when the disk is full, and tells whether it could make room: then the group is tried again.
    `on_end` is called when a transaction has ended, before anybody is told.
    """

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], on_full: Callable[[], bool], on_end: Callable[[], None]
    ) -> None:
        self._connection, self._on_full, self._on_end = connect(), on_full, on_end
        self._lock, self._turn = threading.Lock(), threading.Lock()
        """Of what waits; and of the connection: who has the turn commits."""
        self._closed = False
        self._queue: deque[Waiting] = deque()
        self._wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
        """One item for each change that is left to the thread; the last, False, ends it."""
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, change: Change[T], *, here: bool = False) -> "Future[T]":
        """Queue a change; the future is done when it is on the disk, or has failed.

        With `here`, this thread commits it and all that waits, unless another thread commits at this moment.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                future.set_exception(Problem("not-ready", "The station is being stopped."))
                return future
            self._queue.append((change, future))
        # What is queued while another has the turn is left to the thread, which waits for it: nothing is forgotten.
        if not (here and self._turn.acquire(blocking=False)):
            self._wake.put(True)
            return future
        try:
            self._commit(self._group())
        finally:
            self._turn.release()
        return future

    def write(self, change: Change[T]) -> T:
        """Make a change and wait until it is on the disk. Raises what the change raises, and Problem (disk-full)."""
        return self.submit(change).result()

    @property
    def waiting(self) -> int:
        """How many changes wait."""
        return len(self._queue)

    def close(self) -> None:
        """Write what waits, and end."""
        with self._lock:
            self._closed = True
        self._wake.put(False)
        self._thread.join()
        with self._turn:
            self._connection.close()

    def _run(self) -> None:
        while self._wake.get():
            with self._turn:
                self._commit(self._group())
        with self._turn:
            while group := self._group():
                self._commit(group)

    def _group(self) -> list[Waiting]:
        """What waits, at most as much as one commit takes."""
        with self._lock:
            return [self._queue.popleft() for _ in range(min(GROUP, len(self._queue)))]

    def _commit(self, group: list[Waiting]) -> None:
        """Commit a group, and tell each who waits for it, whatever happens."""
        if not group:  # another has committed it
            return
        try:
            done = self._tried(group)
            self._on_end()
        except BaseException as error:  # a mistake of ours: who waits for ever would never tell of it
            log.exception("a commit broke off")
            done = [(future, None, error) for _, future in group]
        for future, value, failed in done:
            if failed is not None:
                future.set_exception(failed)
            else:
                future.set_result(value)

    def _tried(self, group: list[Waiting]) -> list[Done]:
        """What became of each change; where the disk is full and room could be made, by a second try."""
        try:
            return _transaction(self._connection, group)
        except sqlite3.Error as error:
            if not (is_full(error) and self._on_full()):
                return _failed(group, error)
        try:
            return _transaction(self._connection, group)
        except sqlite3.Error as error:
            return _failed(group, error)


def _transaction(connection: sqlite3.Connection, group: list[Waiting]) -> list[Done]:
    """Run a group in one transaction, or leave nothing of it. Raises sqlite3.Error."""
    several = len(group) > 1  # one by itself needs no savepoint, which is a tenth of a commit
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = [_changed(connection, *each, several=several) for each in group]
        if connection.in_transaction:
            connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return done


def _changed(connection: sqlite3.Connection, change: Change[Any], future: Future[Any], *, several: bool) -> Done:
    """Make one change of a group; one that fails by itself is undone alone. Raises sqlite3.Error."""
    if several:
        connection.execute("SAVEPOINT one")
    done: Done
    try:
        done = future, change(connection), None
    except Exception as error:
        if isinstance(error, sqlite3.Error) and (is_full(error) or not connection.in_transaction):
            raise  # all of the group has failed with it
        connection.execute("ROLLBACK TO one" if several else "ROLLBACK")
        done = future, None, error
    if several:
        connection.execute("RELEASE one")
    return done


def is_full(error: sqlite3.Error) -> bool:
    """Whether the disk has no room, or does not take what is written."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY)


def _failed(group: list[Waiting], error: sqlite3.Error) -> list[Done]:
    """A group of which nothing was written."""
    said = f"The station's disk does not take what is written ({error}); free some space."
    failure = Problem("disk-full", said) if is_full(error) else error
    return [(future, None, failure) for _, future in group]
