"""A station that marks what it is at, in a file that outlives its death: so a killer can aim, and say what it hit.

python tests/campaigns/station_marked.py MARKS serve DATA --port 0

Retention, which else looks every ten minutes, looks five times a second. The process only imports what a station needs,
and makes a station of a copy of itself for each line that it reads: further lives begin in a quarter of the time.
"""

import mmap
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

__all__ = ["JOBS", "KINDS", "LISTING", "Marks"]

JOBS = ("fit", "add", "remove", "calibrate")
LISTING = "listing a version"
KINDS = (*JOBS, LISTING, "promote", "retention")
SWEEP_SECONDS = 0.2


class Marks:
    """One byte for each kind of work, in a file that two processes map."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(len(KINDS)))
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), len(KINDS))

    def now(self) -> list[str]:
        """The kinds of work that are, or were, under way."""
        return [kind for kind, byte in zip(KINDS, self._bytes[:], strict=True) if byte != 0]

    def clear(self) -> None:
        """Nothing is under way."""
        self._bytes[:] = bytes(len(KINDS))

    @contextmanager
    def during(self, kind: str) -> Iterator[None]:
        """Mark a kind while the block runs."""
        place = KINDS.index(kind)
        self._bytes[place] = 1
        try:
            yield
        finally:
            self._bytes[place] = 0


def _mark(owner: Any, name: str, marks: Marks, kind: Callable[..., str]) -> None:
    """Let a method mark its work by what `kind` says of its arguments."""
    method = getattr(owner, name)

    def marked(*given: Any, **more: Any) -> Any:
        with marks.during(kind(*given)) if kind(*given) in KINDS else nullcontext():
            return method(*given, **more)

    setattr(owner, name, marked)


def _marked(marks: Marks) -> None:
    """Let a station mark its work."""
    from blemish.service.station import Station
    from blemish.service.work import keeper
    from blemish.service.work.bench import Bench

    keeper.SWEEP_SECONDS = SWEEP_SECONDS
    _mark(Bench, "_carry_out", marks, lambda self, job: str(job.kind))
    _mark(Bench, "_keep", marks, lambda *given: LISTING)
    _mark(Station, "promote", marks, lambda *given: "promote")
    _mark(keeper.Keeper, "_sweep_recipe", marks, lambda *given: "retention")


def main() -> None:
    import blemish.service.api.app
    import blemish.service.pages.routes
    import blemish.service.serving  # noqa: F401
    from blemish.cli import main as command

    _, marks, *words = sys.argv
    sys.argv = ["blemish", *words]
    _marked(Marks(Path(marks)))
    for _ in sys.stdin:
        life = os.fork()
        if life == 0:
            command()
        print(f"life {life}", flush=True)
        os.waitpid(life, 0)
        print("over", flush=True)


if __name__ == "__main__":
    main()
