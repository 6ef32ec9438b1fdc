"""The coreset against the textbook loop, anomalib's KCenterGreedy and the floor of the arithmetic.

    BLEMISH_DATA=... python benchmarks/coreset.py --anomalib-python /path/to/env/bin/python
    BLEMISH_DATA=... python benchmarks/coreset.py --resnet18 resnet18_tv --output

The textbook loop makes one matrix-vector product for each centre. It and anomalib are timed on their first
centres, `--centres` of them, and multiplied up: each pass costs the same. Runs take turns with ours.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from machine import Spread, figure, markdown_table, publish
from tile_patches import tile_patches, train_paths

from blemish.arrays import Array, Doubles, Floats
from blemish.kernels.best import best_kernels
from blemish.kernels.distance import squared_distances
from blemish.kernels.pure import Pure
from blemish.memory.coreset import Coreset, greedy_coreset
from blemish.memory.shards import ArrayShard
from blemish.memory.spill import PatchStore

ANOMALIB = """
import sys, time, numpy, torch
from anomalib.models.components import KCenterGreedy
patches = torch.from_numpy(numpy.load(sys.argv[1]))
torch.manual_seed(0)
greedy = KCenterGreedy(patches, float(sys.argv[2]) / len(patches))
start = time.perf_counter(); greedy.model.fit(patches); greedy.model.transform(patches)
print(time.perf_counter() - start)
start = time.perf_counter(); greedy.select_coreset_idxs(); print(time.perf_counter() - start)
"""


def main() -> None:
    arguments = parse()
    lite0 = tile_patches("efficientnet_lite0", train_paths()[:192], [])[:150_000]
    rows = [row for share in (0.01, 0.1) for row in measure(lite0, share, arguments)]
    if arguments.resnet18:
        resnet18 = tile_patches(arguments.resnet18, train_paths(), [2, 3])
        rows += measure(resnet18, 0.01, arguments)
    header = ["coreset", "seconds", "against ours", "covering radius", "what"]
    publish("coreset", markdown_table(header, rows), seed=0, keep=arguments.output)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anomalib-python", type=Path, help="a Python that can import anomalib")
    parser.add_argument("--resnet18", help="a ResNet-18 backbone, for 600,000 x 384")
    parser.add_argument("--centres", type=int, default=60, help="passes timed of those who make one a centre")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-check", dest="check", action="store_false", help="leave out the whole textbook run")
    parser.add_argument("--no-pure", dest="pure", action="store_false", help="leave out the kernels in NumPy")
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    return parser.parse_args()


def measure(patches_ND: Floats, share: float, arguments: argparse.Namespace) -> list[list[str]]:
    """All rows of one size, runs taking turns."""
    count, dimension = patches_ND.shape
    rows = round(share * count)
    name = f"{count:,} x {dimension}, {rows:,} rows"
    print(name, file=sys.stderr)
    ours, spilled, textbook, peer = [], [], [], []
    for _ in range(arguments.runs):
        seconds, coreset = timed(lambda: greedy_coreset(patches_ND, rows))
        ours.append(seconds)
        spilled.append(through_a_file(patches_ND, rows, coreset))
        textbook.append(timed(lambda: first_centres(patches_ND, arguments.centres))[0] / arguments.centres * rows)
        if arguments.anomalib_python:
            peer.append(anomalib(arguments.anomalib_python, patches_ND, arguments.centres, rows))
    shared = timed(lambda: greedy_coreset(ArrayShard(patches_ND), rows))[0]
    again = shared - timed(lambda: ArrayShard(patches_ND))[0]
    floor = 2 * count * rows * dimension / 1e12
    radius = figure(float(coreset.radii[-1]))
    table = [
        [name, str(Spread.of(ours)), "1", radius, f"ours, {best_kernels().name} kernels"],
        ["", figure(again), "", "", "ours, patches prepared before (folds)"],
        ["", *against(spilled, ours), "identical rows", "ours, through a file, a quarter of the data as budget"],
        ["", *against(textbook, ours), "", f"textbook loop, by its first {arguments.centres} centres"],
    ]
    if arguments.pure:
        seconds, pure = timed(lambda: greedy_coreset(patches_ND, rows, kernels=Pure()))
        assert (pure.indices == coreset.indices).all()
        table.append(["", *against([seconds], ours[-1:]), "identical rows", "ours, NumPy kernels"])
    if arguments.check:
        error = abs(covering_radius(patches_ND, coreset) - float(coreset.radii[-1]))
        table.append(["", "", "", f"within {error:.1e}", "radius of our rows, brute force in float64"])
    note = f"anomalib KCenterGreedy (projected), by its first {arguments.centres}"
    table.append(["", *(against(peer, ours) if peer else ["not run", ""]), "", note])
    table.append(["", "", "", "", f"all distances: {figure(floor)} TFLOP, {figure(patches_ND.nbytes / 1e9)} GB a pass"])
    return table


Answer = TypeVar("Answer")


def timed(run: Callable[[], Answer]) -> tuple[float, Answer]:
    """Seconds, and what came out."""
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def against(theirs: list[float], ours: list[float]) -> list[str]:
    """Their seconds, and how many times ours that is."""
    return [str(Spread.of(theirs)), str(Spread.of_ratios(theirs, ours))]


def through_a_file(patches_ND: Floats, rows: int, expected: Coreset) -> float:
    """Seconds of the coreset over the spilled patches; the rows must be the same."""
    with PatchStore(*patches_ND.shape, memory=patches_ND.nbytes // 4) as store:
        store.append(patches_ND)
        stored: Array = store.patches()
        seconds, coreset = timed(lambda: greedy_coreset(stored, rows))
    assert (coreset.indices == expected.indices).all()
    return seconds


def first_centres(patches_ND: Floats, centres: int) -> None:
    """The textbook: all distances to the newest centre by one product, the minimum, the farthest."""
    norms_N = np.einsum("nd,nd->n", patches_ND, patches_ND)
    nearest_N = np.full(len(patches_ND), np.inf, np.float32)
    newest = 0
    for _ in range(centres):
        distances_N = norms_N - 2 * (patches_ND @ patches_ND[newest]) + norms_N[newest]
        np.minimum(nearest_N, distances_N, out=nearest_N)
        newest = int(nearest_N.argmax())


def covering_radius(patches_ND: Floats, coreset: Coreset) -> float:
    """The largest distance of any patch to its nearest row, by products that lead and differences that measure."""
    rows_KD = patches_ND[coreset.indices].astype(np.float64)
    norms_K = np.einsum("kd,kd->k", rows_KD, rows_KD)
    farthest = 0.0
    for start in range(0, len(patches_ND), 4096):
        part_ND = patches_ND[start : start + 4096]
        nearest = (norms_K - 2 * (part_ND.astype(np.float64) @ rows_KD.T)).argmin(axis=1)
        squared: Doubles = squared_distances(part_ND, patches_ND[coreset.indices[nearest]])
        farthest = max(farthest, float(np.sqrt(squared.max())))
    return farthest


def anomalib(python: Path, patches_ND: Floats, centres: int, rows: int) -> float:
    """Seconds of its projection and `rows` of its centres, by the first `centres`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "patches.npy")
        np.save(path, patches_ND)
        command = [str(python), "-c", ANOMALIB, str(path), str(centres)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    projecting, choosing = map(float, printed[-2:])
    return projecting + (choosing - projecting) / centres * rows


if __name__ == "__main__":
    main()
