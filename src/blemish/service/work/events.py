"""What happens in the station, told to whoever listens; who was away for a while hears what came meanwhile."""

import asyncio
import contextlib
import itertools
import json
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

__all__ = ["Events"]

KEPT = 2_000
"""Events that can be heard again."""
WAITING = 1_000
"""Events that a slow listener may lag behind; then it is told to look again."""
SILENCE = 15.0
"""Seconds after which a line is sent that says nothing, so that both sides notice a broken connection."""


class Events:
    """Server-sent events; `tell` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[tuple[int, str]] = deque(maxlen=KEPT)
        self._numbers = itertools.count(time.time_ns() // 1000)  # goes on rising after a restart
        self._first = self._last = next(self._numbers)
        self._listeners: dict[int, tuple[asyncio.AbstractEventLoop, asyncio.Queue[str | None]]] = {}
        self._closed = False

    def tell(self, kind: str, data: dict[str, Any]) -> None:
        """Send an event to all who listen."""
        with self._lock:
            self._last = number = next(self._numbers)
            text = f"id: {number}\nevent: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
            self._kept.append((number, text))
            for loop, waiting in self._listeners.values():
                with contextlib.suppress(RuntimeError):  # its loop has ended
                    loop.call_soon_threadsafe(_put, waiting, text)

    def close(self) -> None:
        """End all streams."""
        with self._lock:
            self._closed = True
            for loop, waiting in self._listeners.values():
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(waiting.put_nowait, None)

    async def listen(self, after: int | None) -> AsyncIterator[str]:
        """The events from now on; before them those since `after`, or the event `missed` where not all are kept."""
        waiting: asyncio.Queue[str | None] = asyncio.Queue()
        with self._lock:
            missed = [] if after is None else [text for number, text in self._kept if number > after]
            oldest = self._kept[0][0] if self._kept else self._first
            # a number ahead of all: told before a restart, since when the clock was set back
            gap = after is not None and (after > self._last or (after < oldest and after != self._first))
            self._listeners[id(waiting)] = asyncio.get_running_loop(), waiting
            if self._closed:
                waiting.put_nowait(None)
        try:
            yield "retry: 2000\n\n"
            if gap:
                yield "event: missed\ndata: {}\n\n"
            for text in missed:
                yield text
            while True:
                try:
                    said = await asyncio.wait_for(waiting.get(), SILENCE)
                except TimeoutError:
                    said = ": still here\n\n"
                if said is None:
                    return
                yield said
        finally:
            with self._lock:
                self._listeners.pop(id(waiting), None)


def _put(waiting: "asyncio.Queue[str | None]", text: str) -> None:
    if waiting.qsize() < WAITING:
        waiting.put_nowait(text)
    elif waiting.qsize() == WAITING:
        waiting.put_nowait("event: missed\ndata: {}\n\n")
