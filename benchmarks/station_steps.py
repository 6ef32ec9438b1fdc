"""Where the time of one call to a station goes, from the caller's socket and back, beside the steps of the inspection.

One caller over a bare socket, Magnetic Tile pictures, the durable row included, as in station.py. The station notes
when each step begins; that costs some microseconds a call.

PYTHONPATH=tests:benchmarks python benchmarks/station_steps.py --keep
"""

import argparse
import functools
import importlib
import inspect
import json
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import station_process
from machine import figure, markdown_table, publish
from station import calls, serving

SHOTS, WARM = 200, 20
_HTTP, _WORK = "uvicorn.protocols.http.httptools_impl", "blemish.service.work"
STEPS = (
    ("the station reads the call", _HTTP, "HttpToolsProtocol.data_received", "begin"),
    ("HTTP is parsed, a task starts", "blemish.service.api.guard", "Guard._check", "begin"),
    ("host, origin, length, route", "blemish.service.api.straight", "admitted", "begin"),
    ("who calls, and may they", "blemish.service.api.straight", "admitted", "end"),
    ("query and headers are checked", "blemish.service.api.inspections", "_picture", "begin"),
    ("the body is read", "blemish.service.api.inspections", "_picture", "end"),
    ("a thread that judges wakes", f"{_WORK}.inspectors", "judge", "begin"),
    ("", f"{_WORK}.part", "_inspect", "end"),
    ("the row is made", f"{_WORK}.inspectors", "judge", "end"),
    ("a transaction begins", f"{_WORK}.inspectors", "add_inspection", "begin"),
    ("the row is inserted", f"{_WORK}.inspectors", "add_inspection", "end"),
    ("the row is on the disk", f"{_WORK}.inspectors", "Inspectors._answer", "begin"),
    ("the thread that answers wakes", "blemish.service.api.inspections", "verdict", "end"),
    ("the answer is sent", _HTTP, "RequestResponseCycle.send", "begin"),
    ("the caller has it", "", "", ""),
)
"""What is done from the mark before to this one, where a function begins or ends. Without a name: it is inspected."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="write the result below benchmarks/results")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder, "notes.json")
        station_process.START = f"import station_steps; station_steps.noted({str(notes)!r})"
        with serving(SHOTS) as (served, _, shots):
            calls(served, shots[:WARM])
            made = calls(served, shots)
        marks = json.loads(notes.read_text())
    publish("station_steps", f"{__doc__}\n{_table(made, marks)}", seed="none", keep=given.keep)


def noted(path: str) -> None:
    """`blemish serve`, noting when its steps begin; the notes are written to a file at its end."""
    import sys

    marks: list[tuple[int, float]] = []
    for number, (_, module, name, where) in enumerate(STEPS[:-1]):
        owner: Any = importlib.import_module(module)
        *classes, function = name.split(".")
        for each in classes:
            owner = getattr(owner, each)
        setattr(owner, function, _marked(getattr(owner, function), functools.partial(_mark, marks, number), where))
    from blemish.cli import main

    sys.argv[0] = "blemish"
    try:
        main()
    finally:
        Path(path).write_text(json.dumps(marks))


def _mark(marks: list[tuple[int, float]], number: int) -> None:
    marks.append((number, time.perf_counter()))


def _marked(function: Callable[..., Any], mark: Callable[[], None], where: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def plain(*args: Any, **more: Any) -> Any:
        if where == "begin":
            mark()
        try:
            return function(*args, **more)
        finally:
            if where == "end":
                mark()

    @functools.wraps(function)
    async def waiting(*args: Any, **more: Any) -> Any:
        if where == "begin":
            mark()
        try:
            return await function(*args, **more)
        finally:
            if where == "end":
                mark()

    return waiting if inspect.iscoroutinefunction(function) else plain


def _table(made: list[tuple[float, float, bytes]], marks: list[tuple[int, float]]) -> str:
    """Milliseconds of each step; of a mark that comes twice in a call, the first counts."""
    marks = sorted(marks, key=lambda mark: mark[1])
    times = [at for _, at in marks]
    taken: list[list[float]] = [[] for _ in STEPS]
    for began, ended, _ in made:
        first = {len(STEPS) - 1: ended}
        for number, at in marks[bisect_left(times, began) : bisect_left(times, ended)]:
            first.setdefault(number, at)
        points = [began, *(first[number] for number in range(len(STEPS)))]
        for number, seconds in enumerate(np.diff(points)):
            taken[number].append(1000 * float(seconds))
    named = [(name, each) for (name, *_), each in zip(STEPS, taken, strict=True) if name]
    rows = [[name, *(figure(float(np.quantile(each, q))) for q in (0.1, 0.5, 0.9))] for name, each in named]
    whole = np.sum([each for _, each in named], axis=0)
    rows.append(["all of these", *(figure(float(np.quantile(whole, q))) for q in (0.1, 0.5, 0.9))])
    return markdown_table(["milliseconds", "10 %", "median", "90 %"], rows) + "\n"


if __name__ == "__main__":
    main()
