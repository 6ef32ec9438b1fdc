"""Threads that judge: verdict, then row, then answer, then picture."""

import heapq
import itertools
import math
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from blemish.service.problems import Problem
from blemish.service.store.inspections import Inspection, add_inspection
from blemish.service.store.store import Store
from blemish.service.work.afterwards import Afterwards
from blemish.service.work.part import REST, Part, judge

__all__ = ["Inspectors"]

MOST_BYTES = 512 << 20
"""Of pictures that wait for their verdict."""
GENTLE = 0.1
"""How much of the mean time of an inspection the newest one makes."""


class Inspectors:
    """As many threads as processors, each judging one part at a time.

    Args:
        store: Where rows are written.
        threads: How many.
        after: Called with each part a moment after it is answered, in a thread of its own.
    """

    def __init__(self, store: Store, threads: int, after: Callable[[Part, Inspection, bool], None]) -> None:
        self._store, self._after, self._afterwards = store, after, Afterwards()
        self._heap: list[tuple[int, int, Part | None]] = []
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        """One item for each of the heap: so a thread wakes sooner than by a PriorityQueue, which has two locks."""
        self._numbers = itertools.count()
        self._waiting = [0] * (REST + 2)
        """Parts in the queue, by priority."""
        self._lock = threading.Lock()
        self._bytes = 0
        self.seconds = 0.0
        """Mean of an inspection."""
        self._threads = [
            threading.Thread(target=self._run, name=f"inspector-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Parts in the queue."""
        return len(self._heap)

    def submit(self, part: Part) -> "Future[tuple[Inspection, bool]]":
        """Queue a part. Raises Problem where it could not be judged in time: then nothing is recorded."""
        with self._lock:
            waiting = sum(self._waiting[: part.priority + 1])  # those that come after it do not delay it
            wait = self.seconds * (waiting + 1) / len(self._threads)
            # with nobody before it, it is tried, however long the last ones took
            late = waiting > 0 and wait > part.deadline
            if late or (part.priority < REST and self._bytes + len(part.data) > MOST_BYTES):
                raise Problem(
                    "busy",
                    f"{waiting} parts wait, so this one would come after its deadline; repeat the call.",
                    headers={"Retry-After": str(max(1, math.ceil(wait)))},
                )
            self._bytes += len(part.data)
        self._put(part.priority, part)
        return part.answer

    def close(self) -> None:
        """Judge what waits, and end."""
        for _ in self._threads:
            self._put(REST + 1, None)
        for thread in self._threads:
            thread.join()
        with suppress(Problem):  # a full disk: then nothing is on its way to it
            self._store.write(lambda _: None)  # after the rows of the last parts, so that these are answered
        self._afterwards.close()

    def flush(self) -> None:
        """Wait until all that follows the answers given so far is done."""
        self._afterwards.flush()

    def _put(self, priority: int, part: Part | None) -> None:
        with self._lock:
            heapq.heappush(self._heap, (priority, next(self._numbers), part))
            self._waiting[priority] += 1
        self._wake.put(None)

    def _get(self) -> Part | None:
        self._wake.get()
        with self._lock:
            priority, _, part = heapq.heappop(self._heap)
            self._waiting[priority] -= 1
            return part

    def _run(self) -> None:
        while (part := self._get()) is not None:
            try:
                self._judge(part)
            except BaseException as error:  # a mistake of ours is told to who waits, and the thread goes on
                if not part.answer.done():
                    part.answer.set_exception(error)

    def _judge(self, part: Part) -> None:
        began = time.monotonic()
        try:
            row = judge(part)
        finally:
            with self._lock:
                self._bytes -= len(part.data)
        self.seconds += (time.monotonic() - began - self.seconds) * (GENTLE if self.seconds else 1)
        part.row, part.judged = row, time.monotonic()
        # Where no part waits, this thread has time to write; where it is the only one, a slow disk must not stop it.
        here = len(self._threads) > 1 and not self.waiting
        written = self._store.submit(partial(_write, part=part, row=row), here=here)
        written.add_done_callback(partial(self._answer, part, row))

    def _answer(self, part: Part, row: Inspection, written: "Future[Inspection]") -> None:
        error = written.exception()
        if isinstance(error, Problem) and error.name != "disk-full":
            part.answer.set_exception(error)
            return
        stored = row if error is not None else written.result()
        if error is None:
            self._store.full = False  # before the answer: whoever has it may ask at once whether all is well
        if stored.id == row.id:  # before the answer: whoever has it may wait at once for what follows
            self._afterwards.add(partial(self._after, part, stored, error is None))
        part.answer.set_result((stored, error is None))


def _write(connection: sqlite3.Connection, *, part: Part, row: Inspection) -> Inspection:
    stored = add_inspection(connection, row)
    if part.foresee is not None:
        part.foresee(stored)
    return stored
