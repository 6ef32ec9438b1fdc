"""How long a newcomer's first product takes the machine, from an empty folder to the way back, by the pages alone.

A script at a real browser does what a person would do, without the time to read and think: log in, drop 24 real solar
cells, draw an area, teach, put on line, try 10 cells, make a golden picture, review by the keyboard, correct, see what
would change, undo, compare the two versions, and look at every page (tests/newcomer.py).

Needs Chromium, the built pages (make page) and the extras [browser] and [demo].

PYTHONPATH=tests:benchmarks python benchmarks/station_newcomer.py --keep
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from browsed import browsing, running
from machine import Spread, markdown_table, publish
from newcomer import GOOD, SEED, TRIED, first_product, write_cells

RUNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="write the result below benchmarks/results")
    given = parser.parse_args()
    runs = [_seconds() for _ in range(RUNS)]
    rows = [[name, str(Spread.of([run[name] for run in runs]))] for name in runs[0]]
    told = markdown_table(["seen for the first time", "seconds since the start"], rows)
    said = f"{GOOD} good cells taught, {TRIED} others tried; {RUNS} runs, each from an empty folder."
    publish("station_newcomer", f"{__doc__}\n{said}\n\n{told}\n", seed=str(SEED), keep=given.keep)


def _seconds() -> dict[str, float]:
    """When each screen was there, and the whole, from before the station starts."""
    with tempfile.TemporaryDirectory() as folder:
        taught, tried = write_cells(Path(folder, "cells"))
        began, found = time.monotonic(), dict[str, float]()

        def seen(page: Any, name: str) -> None:
            found.setdefault(name, time.monotonic() - began)

        with running(Path(folder, "station")) as link, browsing() as (page, heard):
            first_product(page, link, taught, tried, seen)
            found["all of it"] = time.monotonic() - began
        assert (heard.errors, heard.abroad) == ([], [])
    return found


if __name__ == "__main__":
    main()
