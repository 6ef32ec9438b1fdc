"""Exact search against faiss IndexFlatL2, with float64 brute force as the judge.

    BLEMISH_DATA=... python benchmarks/search.py --resnet18 resnet18_tv --resnet50 features/resnet50_mtd.safetensors

Runs take turns (NumPy kernels: the first two), each after a pause, in which the other's threads stop spinning, and a
search that is not counted. Neighbours are compared with float64 brute force for both.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
from machine import Spread, markdown_table, publish
from safetensors.numpy import load_file
from tile_patches import test_paths, tile_patches, train_paths

from blemish.arrays import Floats, Ints
from blemish.kernels.best import best_kernels
from blemish.kernels.protocol import Kernels
from blemish.kernels.pure import Pure
from blemish.memory.coreset import greedy_coreset
from blemish.search.exact import ExactSearch, bound_axes
from blemish.system.stream import available_threads

QUERIES = 784
PAUSE = 0.3
"""Seconds; OpenMP's threads wait for work at full speed for about 0.2."""


def main() -> None:
    arguments = parse()
    rows = []
    lite0 = tile_patches("efficientnet_lite0", train_paths()[:200], [])
    rows += measure(
        "EfficientNet-Lite0", bank_of(lite0), tile_patches("efficientnet_lite0", test_paths(), []), arguments
    )
    if arguments.resnet18:
        taps: list[str | int] = [2, 3]
        resnet18 = tile_patches(arguments.resnet18, train_paths()[:200], taps)
        queries = tile_patches(arguments.resnet18, test_paths(), taps)
        rows += measure("ResNet-18", bank_of(resnet18), queries, arguments)
    if arguments.resnet50:
        tensors = load_file(arguments.resnet50)
        both = [tensors[name].astype(np.float32) for name in ("bank", "queries")]
        rows += measure("ResNet-50", both[0], both[1], arguments)
    header = ["Q x K x d", "ms", "times ours", "wrong neighbours", "what"]
    publish("search", markdown_table(header, rows), seed=0, keep=arguments.output)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resnet18", help="a ResNet-18 backbone")
    parser.add_argument("--resnet50", type=Path, help="a safetensors file with `bank` and `queries`")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    return parser.parse_args()


def bank_of(patches_ND: Floats) -> Floats:
    """A tenth of the patches."""
    return patches_ND[greedy_coreset(patches_ND, len(patches_ND) // 10).indices]


def measure(name: str, bank_KD: Floats, all_queries_QD: Floats, arguments: argparse.Namespace) -> list[list[str]]:
    """One image's queries out of several, all searchers taking turns."""
    image = len(all_queries_QD) // QUERIES // 2 * QUERIES
    queries_QD = np.ascontiguousarray(all_queries_QD[image : image + QUERIES])
    compiled = best_kernels()
    searchers = {
        f"ours, {compiled.name} kernels": ours(bank_KD, queries_QD, compiled, 1),
        "ours, NumPy kernels": ours(bank_KD, queries_QD, Pure(), 1),
        "faiss IndexFlatL2": flat(bank_KD, queries_QD, 1),
        "ours, 9 neighbours": ours(bank_KD, queries_QD, compiled, 9),
        "faiss IndexFlatL2, 9 neighbours": flat(bank_KD, queries_QD, 9),
    }
    expected_QK = brute_force(bank_KD, queries_QD, 9)
    times: dict[str, list[float]] = {what: [] for what in searchers}
    wrong = {what: wrong_share(search(), expected_QK) for what, search in searchers.items()}
    for run in range(arguments.runs):
        for what, search in searchers.items():
            if "NumPy" in what and run >= 2:
                continue
            time.sleep(PAUSE)
            search()
            start = time.perf_counter()
            search()
            times[what].append(1000 * (time.perf_counter() - start))
    first = next(iter(searchers))
    size = f"{name}: {len(queries_QD)} x {len(bank_KD):,} x {bank_KD.shape[1]}"
    floor = 2 * len(queries_QD) * len(bank_KD) / 1e9
    lines = []
    for what, taken in times.items():
        ratio = str(Spread.of_ratios(taken, times[first][: len(taken)]))
        lines.append([size if what == first else "", str(Spread.of(taken)), ratio, wrong[what], what])
    axes = min(bank_KD.shape[1], bound_axes(bank_KD.shape[1], compiled.kind)[0])
    kind = compiled.kind.name.lower()
    floors = (
        f"all distances: {floor * bank_KD.shape[1]:.3g} GFLOP; the bound's {axes + 1} numbers ({kind}): "
        f"{floor * (axes + 1):.3g} GFLOP; the bank: {bank_KD.nbytes / 1e6:.0f} MB"
    )
    return [*lines, ["", "", "", "", floors]]


def ours(bank_KD: Floats, queries_QD: Floats, kernels: Kernels, k: int) -> Callable[[], Ints]:
    search = ExactSearch(bank_KD, kernels=kernels)
    return lambda: search.query(queries_QD, k)[1]


def flat(bank_KD: Floats, queries_QD: Floats, k: int) -> Callable[[], Ints]:
    faiss.omp_set_num_threads(available_threads())
    index = faiss.IndexFlatL2(bank_KD.shape[1])
    index.add(bank_KD)

    def search() -> Ints:
        numbers: Ints = index.search(queries_QD, k)[1]
        return numbers

    return search


def brute_force(bank_KD: Floats, queries_QD: Floats, k: int) -> Ints:
    """All distances in float64: products preselect 100 rows, differences decide, ties to the lowest row."""
    bank, queries = bank_KD.astype(np.float64), queries_QD.astype(np.float64)
    near_Q = np.argpartition(np.einsum("kd,kd->k", bank, bank) - 2 * queries @ bank.T, 100, axis=1)[:, :100]
    near_Q.sort(axis=1)
    squared_Q = [((bank[near] - query) ** 2).sum(axis=1) for near, query in zip(near_Q, queries, strict=True)]
    return np.take_along_axis(near_Q, np.argsort(squared_Q, axis=1, kind="stable")[:, :k], axis=1)


def wrong_share(numbers_QK: Ints, expected_QK: Ints) -> str:
    """How many neighbours, of all, differ from brute force."""
    differ = numbers_QK != expected_QK[:, : numbers_QK.shape[1]]
    return f"{differ.sum()} of {differ.size:,}"


if __name__ == "__main__":
    main()
