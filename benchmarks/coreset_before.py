"""The coreset of one process beside that of an older version: the same patches, in two processes that take turns.

    python benchmarks/coreset_before.py --before FOLDER --output

FOLDER holds the package `blemish` of the older version, such as its unpacked wheel. Rows must be equal.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from machine import Spread, markdown_table, publish
from shard_messages import DIMENSION, random_patches

PATCHES, ROWS = 150_000, (1500, 15_000)
BAR = 1.03
SIDE = """
import hashlib, sys, time
import numpy as np
from blemish.memory.coreset import greedy_coreset
patches = np.load(sys.argv[1])
for line in sys.stdin:
    began, busy = time.perf_counter(), time.process_time()
    found = greedy_coreset(patches, int(line))
    took = time.perf_counter() - began, time.process_time() - busy
    print(*took, hashlib.sha256(found.indices.tobytes() + found.radii.tobytes()).hexdigest(), flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="a folder that holds the older package")
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        patches = Path(folder, "patches.npy")
        np.save(patches, random_patches(PATCHES))
        with _side(patches, given.before) as old, _side(patches, None) as new:
            rows = [row for count in ROWS for row in _rows(old, new, count, given.pairs)]
    header = [f"{PATCHES:,} x {DIMENSION} random patches", "before", "after", "after / before", "bar"]
    publish("coreset_before", f"{__doc__}\n{markdown_table(header, rows)}", seed=0, keep=given.output)


def _side(patches: Path, package: Path | None) -> "subprocess.Popen[str]":
    """A process that answers each number of rows; with `package`, of the version that lies there."""
    environment = os.environ if package is None else os.environ | {"PYTHONPATH": str(package)}
    command = [sys.executable, "-c", SIDE, str(patches)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=patches.parent
    )


def _rows(old: "subprocess.Popen[str]", new: "subprocess.Popen[str]", count: int, pairs: int) -> list[list[str]]:
    """Seconds and processor seconds of both sides; the first pair warms up."""
    answers = []
    for number in range(pairs + 1):
        sides = (old, new) if number % 2 else (new, old)
        answered = {side: _asked(side, count) for side in sides}
        answers.append((answered[old], answered[new]))
        assert answers[-1][0][2] == answers[0][0][2] == answers[-1][1][2], "rows and radii are equal"
    table = []
    for place, words in enumerate(("seconds", "processor seconds")):
        before, after = ([float(pair[side][place]) for pair in answers[1:]] for side in (0, 1))
        ratio = Spread.of_ratios(after, before)
        bar = f"{BAR:g} ({'met' if ratio.median <= BAR else 'missed'})" if not place else ""
        table.append([f"{count:,} rows, {words}", *map(str, (Spread.of(before), Spread.of(after), ratio)), bar])
    return table


def _asked(side: "subprocess.Popen[str]", count: int) -> list[str]:
    assert side.stdin is not None
    assert side.stdout is not None
    side.stdin.write(f"{count}\n")
    side.stdin.flush()
    return side.stdout.readline().split()


if __name__ == "__main__":
    main()
