"""How long steps report where they are, and how that is shown: bars where someone watches, else a line at times."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO, TypeAlias

__all__ = ["Progress", "ProgressLine", "Shown", "shown", "silent"]

LINE_SECONDS = 5.0
"""Between two lines, where there is no terminal: a log shows that the work goes on, and stays short."""
NOTEBOOK_SECONDS = 0.2
"""Between two states of a notebook's line."""
PACE = 0.02
"""The share of a step that must be done before its pace tells how long the rest takes."""


class Progress(Protocol):
    """Called often during a long step; the last call of a step has `done == total`."""

    def __call__(self, step: str, done: int, total: int) -> None: ...


Shown: TypeAlias = Progress | bool | None
"""What callers say of progress: None or True shows it, False shows nothing, a function is called with it."""


def silent(step: str, done: int, total: int) -> None:
    """Report nothing."""


@contextmanager
def shown(progress: Shown = None, in_language: Callable[[str], str] = str) -> Iterator[Progress]:
    """Where steps report while the block runs, as `progress` says, lines in the user's language.

    Shown on stderr: bars in a terminal, one line that changes in a notebook, and elsewhere (a log, a pipe) a line
    every LINE_SECONDS, so that nothing is written of a job that is shorter.
    """
    stream: TextIO | None = sys.stderr  # None in a program without a console, as on Windows
    if callable(progress):
        yield progress
    elif progress is False or stream is None:
        yield silent
    elif stream.isatty():
        with _bars() as report:
            yield report
    elif _in_notebook():
        line = ProgressLine(stream, NOTEBOOK_SECONDS, "\r{:<60}", in_language=in_language)
        try:
            yield line
        finally:
            if line.written:
                print(file=stream)
    else:
        yield ProgressLine(stream, LINE_SECONDS, "{}\n", in_language=in_language)


class ProgressLine:
    """Writes where a step is, at most once in `every` seconds; what takes less is not named."""

    def __init__(
        self,
        stream: TextIO,
        every: float,
        form: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        in_language: Callable[[str], str] = str,
    ) -> None:
        self.written = False
        self._in_language = in_language
        self._stream, self._every, self._form, self._clock = stream, every, form, clock
        self._last = self._began = clock()
        self._step, self._first, self._done = "", 0, 0

    def __call__(self, step: str, done: int, total: int) -> None:
        now = self._clock()
        if step != self._step or done < self._done:  # the same step again, of the next look
            self._step, self._first, self._began = step, done, now
        self._done = done
        if now - self._last < self._every:
            return
        self._last, self.written = now, True
        left = self._seconds_left(now, total)
        text = f"{step}: {done} of {total}" + (f", about {left:.0f} s left" if left >= 1 else "")
        self._stream.write(self._form.format(self._in_language(text)))
        self._stream.flush()

    def _seconds_left(self, now: float, total: int) -> float:
        """By the pace since the step's first report (before it all is preparation); 0 while too little is known."""
        since = self._done - self._first
        return (now - self._began) / since * (total - self._done) if since >= PACE * total else 0.0


def _in_notebook() -> bool:
    """Whether this runs in a notebook's kernel; asked without importing what is not there."""
    module = sys.modules.get("IPython")
    kernel = module.get_ipython() if module else None
    return type(kernel).__name__ == "ZMQInteractiveShell"


@contextmanager
def _bars() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    # Where only stderr is watched, results go to a file or a pipe, and must not be drawn above the bars instead.
    with Bars(*columns, console=Console(stderr=True), redirect_stdout=sys.stdout.isatty()) as bars:
        tasks: dict[str, Any] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield report
