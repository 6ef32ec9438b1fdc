"""The coreset of one process beside that of an older version: the same patches, in two processes that take turns.

    python benchmarks/coreset_before.py --before OLD_ENV/bin/python --output

Rows and radii must be equal. The first pair of each number of rows warms up.
"""

import argparse
import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
from before_and_after import Measure, Side, about, alike, in_turn
from machine import markdown_table, publish
from shard_messages import DIMENSION, random_patches

PATCHES, ROWS = 150_000, (1500, 15_000)
FIGURES = {"seconds": "seconds", "processor seconds": "cpu"}
SIDE = "coreset_side.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", required=True, help="the Python of an environment with the older blemish")
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        patches = Path(folder, "patches.npy")
        np.save(patches, random_patches(PATCHES))
        with Side(given.before, SIDE, patches) as old, Side(sys.executable, SIDE, patches) as new:
            pairs = {
                str(rows): [in_turn(str(rows), old, new, swapped=turn % 2 == 1) for turn in range(given.pairs + 1)]
                for rows in ROWS
            }
    assert alike(pairs), "rows or radii differ"
    warm = {rows: each[1:] for rows, each in pairs.items()}
    asked = product(ROWS, FIGURES.items())
    table = [Measure(f"{rows:,} rows, {words}", str(rows), figure).row(warm) for rows, (words, figure) in asked]
    header = [f"{PATCHES:,} x {DIMENSION} random patches", "pairs", "before", "after", "after / before", "bar"]
    extra = {"after": str(about(sys.executable)), "before": str(about(given.before))}
    publish("coreset_before", markdown_table(header, table), seed=0, keep=given.output, extra=extra)


if __name__ == "__main__":
    main()
