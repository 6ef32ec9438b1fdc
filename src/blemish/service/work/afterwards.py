"""What nobody waits for: it is done by a thread of its own, a moment after the answer has left."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress

__all__ = ["Afterwards"]

log = logging.getLogger("blemish.service")
PAUSE, LOOKS = 0.01, 200
"""Seconds between two looks for something to do, and how many are made in vain before the thread sleeps until it is
woken: to wake it while an answer is on its way would make that later."""


class Afterwards:
    """One thread that does what it was given, in order."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="afterwards", daemon=True)
        self._thread.start()

    def add(self, do: Callable[[], None]) -> None:
        """Have something done; never waits."""
        self._queue.put(do)

    def flush(self) -> None:
        """Wait until all that was added is done."""
        done = threading.Event()
        self.add(done.set)
        done.wait()

    def close(self) -> None:
        """Do what was added, and end."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (do := self._next()) is not None:
            try:
                do()
            except Exception:  # a mistake of ours costs one count or one picture, not all that come after it
                log.exception("what follows an answer failed")

    def _next(self) -> Callable[[], None] | None:
        for _ in range(LOOKS):
            with suppress(queue.Empty):
                return self._queue.get_nowait()
            time.sleep(PAUSE)
        do = self._queue.get()
        time.sleep(PAUSE)
        return do
