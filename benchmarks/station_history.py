"""How quickly a station finds among a million verdicts, by each filter; half of them share one serial number.

The last tenth came as batches.

PYTHONPATH=tests python benchmarks/station_history.py --keep
"""

import argparse
import sqlite3
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import figure, markdown_table, publish

from blemish.service.store.history import Filter, list_inspections
from blemish.service.store.store import Store

REPEATS = 20
SHARED = "shared"
FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
INSERT INTO inspection (id, at, recipe, version, verdict, score, threshold, serial, name, kind, source, image_sha,
                        image_state, label)
SELECT printf('ID%024d', i), strftime('%Y-%m-%dT%H:%M:%fZ', 1767225600 + i * 10, 'unixepoch'),
       'recipe' || (i % 4), 'version' || (i / 50000), iif(i % 97 = 0, 'NG', iif(i % 61 = 0, 'REVIEW', 'OK')),
       (i * 7919 % 100003) / 1000.0, 80, iif(i % 2, 'serial' || i, 'shared'), 'picture',
       iif(i % 997 = 0, 'try', iif(i > {rows} * 9 / 10, 'batch', 'api')), 'camera',
       printf('%064x', i), 'stored', iif(i % 5003 = 0, 'good', NULL)
FROM n;
INSERT INTO hour
SELECT substr(at, 1, 13), recipe, verdict, kind, count(*), min(seq), max(seq) FROM inspection GROUP BY 1, 2, 3, 4;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--keep", action="store_true", help="write the result below benchmarks/results")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Store(Path(folder, "station"), ballast=0).close()
        fill(Path(folder, "station", "station.db"), given.rows)
        store = Store(Path(folder, "station"), ballast=0)
        rows = [[name, *_timed(store, wanted)] for name, wanted in _filters(given.rows).items()]
        size = (store.folder / "station.db").stat().st_size
        store.close()
    table = markdown_table(["first 50 of", "ms, median", "ms, 95 %", "ms of the processor, median", "rows"], rows)
    publish(
        "station_history",
        f"{__doc__}\n{given.rows:,} rows, {size / given.rows:.0f} bytes a row with its indexes.\n\n{table}\n",
        seed="none",
        keep=given.keep,
    )


def fill(database: Path, rows: int) -> None:
    """Write verdicts that nobody gave."""
    connection = sqlite3.connect(database)
    connection.executescript(
        f"PRAGMA synchronous=OFF; PRAGMA cache_size=-1000000; BEGIN; {FILL.format(rows=rows)} COMMIT;"
    )
    connection.close()


def _filters(rows: int) -> dict[str, Filter]:
    since, until = "2026-01-05T00:00:00.000Z", "2026-01-06T00:00:00.000Z"
    return {
        "all": Filter(),
        "one recipe": Filter(recipe="recipe1"),
        "NG": Filter(verdict="NG"),
        "NG of one recipe": Filter(recipe="recipe1", verdict="NG"),
        "ERROR (there is none)": Filter(verdict="ERROR"),
        "OK of one recipe": Filter(recipe="recipe1", verdict="OK"),
        "one day, long ago": Filter(since=since, until=until),
        "NG of one recipe, one day long ago": Filter(recipe="recipe1", verdict="NG", since=since, until=until),
        "one serial number": Filter(serial=f"serial{rows // 3 | 1}"),
        "a serial number of half of all": Filter(serial=SHARED),
        "of these ERROR (there is none)": Filter(serial=SHARED, verdict="ERROR"),
        "of these NG of a recipe that has none": Filter(serial=SHARED, recipe="recipe1", verdict="NG"),
        "of these an old version": Filter(serial=SHARED, version="version1"),
        "of these labelled bad (there is none)": Filter(serial=SHARED, label="bad"),
        "of these score from 1000 (there is none)": Filter(serial=SHARED, min_score=1000),
        "an old version": Filter(version="version1"),
        "an old version of a recipe, NG": Filter(version="version1", recipe="recipe1", verdict="NG"),
        "labelled good": Filter(label="good"),
        "labelled bad (there is none)": Filter(label="bad"),
        "not labelled": Filter(label="none"),
        "score from 99.99": Filter(min_score=99.99),
        "score from 50": Filter(min_score=50),
        "score from 1000 (there is none)": Filter(min_score=1000),
        "score from 99.9 of one recipe, OK": Filter(min_score=99.9, recipe="recipe1", verdict="OK"),
        "the line": Filter(kind="line"),
        "the line of one recipe": Filter(recipe="recipe1", kind="line"),
        "NG of the line": Filter(verdict="NG", kind="line"),
        "try-outs": Filter(kind="try"),
        "try-outs of one recipe, NG": Filter(recipe="recipe1", verdict="NG", kind="try"),
        "try-outs of an old version": Filter(version="version1", kind="try"),
        "batches, OK, score from 1000 (there is none)": Filter(kind="batch", verdict="OK", min_score=1000),
        "the page after half of all": Filter(before=rows // 2),
    }


def _timed(store: Store, wanted: Filter) -> list[str]:
    seconds, worked, found = [], [], 0
    for _ in range(REPEATS):
        began, work = time.perf_counter(), time.thread_time()
        found = len(list_inspections(store.read, wanted, 50))
        worked.append(time.thread_time() - work)
        seconds.append(time.perf_counter() - began)
    quantiles = [float(np.median(seconds)), float(np.quantile(seconds, 0.95)), float(np.median(worked))]
    return [*(figure(1000 * each) for each in quantiles), str(found)]


if __name__ == "__main__":
    main()
