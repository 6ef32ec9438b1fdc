"""How a command begins and ends, whatever ends it: streams that are there, signals that stop it cleanly."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Stopped", "open_missing_streams", "stopping_on_signals"]

_SIGNALS = ("SIGTERM", "SIGHUP", "SIGBREAK")
_AT_ONCE = 2.0
"""Signals of one stop come within so many seconds; the second must not disturb what the first has begun to tidy up."""


class Stopped(KeyboardInterrupt):
    """The system, or another program, asked this one to end; the message is the signal's name."""


@contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Raise Stopped in the main thread where SIGTERM or SIGHUP would end the process at once.

    A signal that is ignored, as below nohup, stays so.
    """
    before: dict[signal.Signals, Any] = {}
    first = -_AT_ONCE

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if time.monotonic() - first > _AT_ONCE:
            first = time.monotonic()
            raise Stopped(signal.Signals(number).name)

    if threading.current_thread() is threading.main_thread():
        for name in _SIGNALS:
            each = getattr(signal, name, None)
            if each is not None and signal.getsignal(each) is signal.SIG_DFL:
                before[each] = signal.signal(each, stop)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def open_missing_streams() -> None:
    """Open the null device where stdin, stdout or stderr is closed.

    The next file opened would take its number, and whatever a library prints would land in it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
