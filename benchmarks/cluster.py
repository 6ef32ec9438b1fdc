"""What Ray costs and gains on one machine, what travels between shards and driver, and how the coreset grows.

    BLEMISH_DATA=... python benchmarks/cluster.py --output

Runs with Ray and without take turns; models and rows must be equal. Seconds of a busy machine are too many: look at the
processor seconds (`CPU s`) where they stand.
"""

import argparse
import pickle
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from threading import Event, Thread
from types import ModuleType
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from machine import Spread, figure, markdown_table, publish
from shard_balance import balance
from shard_messages import DIMENSION, megabytes, messages, patches_in_file
from tile_patches import train_paths

import blemish
from blemish.cluster.cluster import Cluster
from blemish.cluster.extraction import Extraction
from blemish.cluster.inspecting import inspect_many
from blemish.cluster.patches import LookElsewhere, PatchesElsewhere
from blemish.cluster.plan import CHUNK, ChunkRecord, ShardPlan, ShareFiles, shares
from blemish.cluster.products import Product, ProductFit, fit_products
from blemish.cluster.worker import Call, Sent
from blemish.data.protocols.solar_cells import solar_cells
from blemish.memory.choose import ShardHere
from blemish.memory.coreset import greedy_coreset
from blemish.methods import gathered
from blemish.model.model import tensor_sha256

Answer = TypeVar("Answer")
Row = list[str]

GROWTH = 100_000, 1_000_000, 20_000_000
MANY: dict[str, Any] = {
    "effort": "quick",
    "coreset": 1000,
    "calibration": "split",
    "held_out": 0.025,
    "false_rejects": 0.05,
    "progress": False,
}
SIDE = "side by side, 2 workers of one thread"
QUICK: dict[str, Any] = {"effort": "quick", "coreset": 1000, "progress": False}


def main() -> None:
    arguments = parse()
    body = []
    for name in arguments.parts:
        print(name, file=sys.stderr)
        body.append(PARTS[name](arguments))
    publish("cluster", "\n\n".join(body), seed=0, keep=arguments.output, extra={"ray": version("ray")})


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--runs", type=int, default=3, help="pairs of runs with Ray and without")
    parser.add_argument("--images", type=int, default=256, help="fitted and inspected with Ray and without")
    parser.add_argument("--patches", type=int, default=200_000, help="shared out among 1 to 1,000 shards")
    parser.add_argument(
        "--growth", type=int, nargs="+", default=[100_000, 1_000_000, 20_000_000], help="patches in a file"
    )
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    return parser.parse_args()


def timed(run: Callable[..., Answer], *given: Any, **options: Any) -> tuple[float, Answer]:
    """Seconds, and what came out."""
    start = time.perf_counter()
    result = run(*given, **options)
    return time.perf_counter() - start, result


class Cost(NamedTuple):
    """What something took."""

    seconds: float
    busy: float
    """Seconds of processors, those of workers too."""


COMPARED = "seconds without Ray", "with Ray, 2 workers", "ratio", "CPU s without", "with", "ratio"


def compared(here: Sequence[Cost], there: Sequence[Cost]) -> list[str]:
    """The cells of both, in pairs, and of their ratios."""
    cells = []
    for own, others in zip(zip(*here, strict=True), zip(*there, strict=True), strict=True):
        cells += [str(Spread.of(own)), str(Spread.of(others)), str(Spread.of_ratios(others, own))]
    return cells


PROCESSOR = Sent.of(partial(eval, "__import__('time').process_time()"))
"""A function of an empty dictionary: what a worker has had of its processors."""


def measured(cluster: Cluster | None, run: Callable[..., Answer], *given: Any, **options: Any) -> tuple[Cost, Answer]:
    """What a call costs, and what comes out."""
    busy = -busy_so_far(cluster)
    seconds, answer = timed(run, *given, **options)
    return Cost(seconds, busy + busy_so_far(cluster)), answer


def busy_so_far(cluster: Cluster | None) -> float:
    """Processor seconds of this process and, with a cluster, of its workers."""
    workers = cluster.crew.ask(Call("call", (PROCESSOR, [{}], 1))) if cluster else []
    return time.process_time() + sum(float(answer[0]) for answer in workers)


@contextmanager
def connected(started: list[float]) -> Iterator[Cluster]:
    """A local cluster of two workers; the seconds until it was there."""
    start = time.perf_counter()
    with blemish.connect("local", processors=2, workers=2) as cluster:
        started.append(time.perf_counter() - start)
        yield cluster


def overhead(arguments: argparse.Namespace) -> str:
    """A fit and an inspection of the same images, with Ray and without, by turns."""
    paths = train_paths()[: arguments.images]
    here: dict[str, list[Cost]] = {"fit": [], "inspect": []}
    there: dict[str, list[Cost]] = {"fit": [], "inspect": []}
    started: list[float] = []
    with connected(started) as cluster:
        blemish.fit(paths[:4], cluster=cluster, **QUICK)  # what workers import is imported
        for _ in range(arguments.runs):
            cost, alone = measured(None, partial(blemish.fit, paths, **QUICK))
            here["fit"].append(cost)
            cost, shared = measured(cluster, partial(blemish.fit, paths, cluster=cluster, **QUICK))
            there["fit"].append(cost)
            assert same(alone, shared)
            cost, own = measured(None, partial(inspected_here, alone, paths))
            here["inspect"].append(cost)
            cost, answered = measured(cluster, partial(inspected_there, cluster, alone, paths))
            there["inspect"].append(cost)
            assert own == answered
    header = ["Magnetic Tile, one look, 1,000 rows", *COMPARED]
    rows = [[f"{what} {len(paths)} images", *compared(here[what], there[what])] for what in here]
    said = f"Ray and its workers were there after {figure(started[0])} s. Equal models and rows."
    return f"{markdown_table(header, rows)}\n\n{said}"


def inspected_here(detector: blemish.Detector, paths: Sequence[Path]) -> str:
    return repr(blemish.table(detector.inspect_many(paths)))


def inspected_there(cluster: Cluster, detector: blemish.Detector, paths: Sequence[Path]) -> str:
    return repr(blemish.table(inspect_many(cluster, detector, paths)))


def same(one: blemish.Detector, other: blemish.Detector) -> bool:
    """Whether two fits learnt the same, bit for bit."""
    own, others = one.model.method.tensors(), other.model.method.tensors()
    return one.threshold == other.threshold and all(np.array_equal(own[name], others[name]) for name in own)


def coreset(arguments: argparse.Namespace) -> str:
    """The coreset of some 2 x 10^6 patches of solar cells, in shards of two workers and in this process, by turns."""
    paths = sorted(solar_cells().functional[0].parent.glob("*.png"))
    here: dict[str, list[Cost]] = {"short vectors": [], "coreset": []}
    there: dict[str, list[Cost]] = {"short vectors": [], "coreset": []}
    patches = 0
    with connected([]) as cluster:
        for _ in range(arguments.runs):
            ready, chosen = here.values()
            with in_calls(gathered, "coreset_shard", ready), in_calls(ShardHere, "coreset", chosen):
                alone = blemish.fit(paths, **MANY)
            ready, chosen = there.values()
            with in_calls(Extraction, "_end", ready, cluster), in_calls(LookElsewhere, "coreset", chosen, cluster):
                shared = blemish.fit(paths, cluster=cluster, **MANY)
            assert same(alone, shared)
            patches = 784 * (len(paths) - alone.model.manifest.calibration.images)
    header = ["solar cells, one look, 1,000 rows", *COMPARED]
    said = "Equal models. Short vectors are made before, of held out images as well."
    rows = [[f"{what} of {patches:,} patches", *compared(here[what], there[what])] for what in here]
    return f"{markdown_table(header, rows)}\n\n{said}"


@contextmanager
def in_calls(owner: type | ModuleType, name: str, costs: list[Cost], cluster: Cluster | None = None) -> Iterator[None]:
    """What calls of a function cost in all, while this lasts."""
    plain, seconds, busy = getattr(owner, name), 0.0, 0.0

    def watched(*given: Any, **options: Any) -> Any:
        nonlocal seconds, busy
        cost, answer = measured(cluster, partial(plain, *given, **options))
        seconds, busy = seconds + cost.seconds, busy + cost.busy
        return answer

    setattr(owner, name, watched)
    try:
        yield
    finally:
        setattr(owner, name, plain)
        costs.append(Cost(seconds, busy))


def products(arguments: argparse.Namespace) -> str:
    """Twelve small fits, side by side and one after the other, on all threads and on one."""
    paths = train_paths()
    ways: dict[str, list[Cost]] = {
        "one after the other, all threads": [],
        SIDE: [],
        "one after the other, one thread": [],
    }
    with tempfile.TemporaryDirectory() as folder, connected([]) as cluster:
        wanted = list(links(Path(folder), paths))
        list(fit_products(wanted[:2], {"effort": "quick"}, cluster))  # what workers import is imported
        for _ in range(arguments.runs):
            learnt = []
            for (way, costs), more in zip(ways.items(), ({}, {}, {"threads": 1}), strict=True):
                crew = cluster if way == SIDE else None
                forget(wanted)
                cost, done = measured(crew, partial(products_fitted, wanted, crew, **more))
                costs.append(cost)
                learnt.append(digests(done))
            assert learnt[0] == learnt[1] == learnt[2]
    table = []
    for way, costs in ways.items():
        (seconds, busy), (beside, _) = (list(zip(*own, strict=True)) for own in (costs, ways[SIDE]))
        ratio = str(Spread.of_ratios(seconds, beside))
        table.append([f"12 fits of 24 images, {way}", str(Spread.of(seconds)), ratio, str(Spread.of(busy))])
    header = ["products", "seconds", "times those side by side", "CPU s"]
    return f"{markdown_table(header, table)}\n\nEqual models: digests of all tensors, and thresholds."


def commands(arguments: argparse.Namespace) -> str:
    """The same twelve fits as whole commands, the start of programs and of Ray included, by turns."""
    program = str(Path(sys.executable).with_name("blemish"))
    ways: dict[str, list[float]] = {
        "a shell loop of 12 `blemish fit`": [],
        "one `blemish fit --each`": [],
        "one `blemish fit --each --cluster local`": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        wanted = list(links(Path(folder), train_paths()))
        each = [program, "fit", "--each", *(str(own.images) for own in wanted), "-o", folder, "--effort", "quick"]
        loop = [[program, "fit", str(own.images), "-o", str(own.model), "--effort", "quick"] for own in wanted]
        typed = loop, [each], [[*each, "--cluster", "local"]]
        for _ in range(arguments.runs):
            learnt = []
            for costs, lines in zip(ways.values(), typed, strict=True):
                forget(wanted)
                costs.append(timed(run_all, lines)[0])
                learnt.append(digests([ProductFit(own) for own in wanted]))
            assert learnt[0] == learnt[1] == learnt[2]
    beside = list(ways.values())[-1]
    table = [[way, str(Spread.of(costs)), str(Spread.of_ratios(costs, beside))] for way, costs in ways.items()]
    return markdown_table(["12 fits of 24 images, whole commands", "seconds", "times the last"], table)


def forget(products: Sequence[Product]) -> None:
    """Delete the models: those that are there would be kept."""
    for each in products:
        Path(each.model).unlink(missing_ok=True)


def run_all(lines: Sequence[Sequence[str]]) -> None:
    for line in lines:
        subprocess.run(line, check=True, capture_output=True)


def products_fitted(wanted: Sequence[Product], cluster: Cluster | None, **more: Any) -> list[ProductFit]:
    return list(fit_products(wanted, {"effort": "quick"} | more, cluster))


def digests(done: Sequence[ProductFit]) -> list[tuple[float, str]]:
    """The threshold of each model, and the digest of all that it learnt."""
    assert not any(each.error for each in done)
    models = [blemish.load(each.product.model) for each in done]
    tensors = [model.model.method.tensors() for model in models]
    learnt = [" ".join(tensor_sha256(own[name]) for name in sorted(own)) for own in tensors]
    return list(zip([model.threshold for model in models], learnt, strict=True))


def links(folder: Path, paths: Sequence[Path]) -> Iterator[Product]:
    """Twelve folders of 24 images each."""
    for number in range(12):
        own = folder / f"product-{number:02}"
        own.mkdir()
        for path in paths[number * 24 : (number + 1) * 24]:
            (own / path.name).symlink_to(path)
        yield Product(own.name, own, folder / f"{own.name}.blemish")


def driver(arguments: argparse.Namespace) -> str:
    """What the driver keeps of the patches of many images, whose records are simulated as workers send them."""
    table = []
    for images in (100_000, 1_000_000):
        records, plans = simulated(images)
        tracemalloc.start()
        held = [[travelled(record) for record in own] for own in records]
        whole = PatchesElsewhere(cast(Any, None), plans, held, None)
        now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert whole.shards[0].count(None) == images * 784
        table.append([f"{images:,}", megabytes(now), f"{now / images:.0f}", megabytes(peak)])
    header = ["images", "records at the driver, MB", "bytes an image", "largest, MB"]
    said = "28 x 28 patches an image, one look, 16 shards; glances and the model's list of images not counted."
    return f"{said}\n\n{markdown_table(header, table)}"


def simulated(images: int) -> tuple[list[list[bytes]], list[ShardPlan]]:
    """The records of all chunks as bytes, and the plans of 16 shards."""
    records, plans = [], []
    random = np.random.default_rng(0)
    for first, last in shares(images, 16):
        own = []
        for start in range(first, last, CHUNK):
            count = min(CHUNK, last - start)
            digests = [random.bytes(32).hex() for _ in range(count)]
            masks = [np.ones((28, 28), np.bool_) for _ in range(count)]
            own.append(
                pickle.dumps(ChunkRecord.of(digests, {"patches": masks}, {"patches": 152}, {"patches": "0" * 64}))
            )
        records.append(own)
        files = ShareFiles("key", first, last, ["patches"], None)
        plans.append(ShardPlan(files, [], b"", cast(Any, None), cast(Any, None), "cpu", 1, "float32", 0))
    return records, plans


def travelled(record: bytes) -> ChunkRecord:
    found: ChunkRecord = pickle.loads(record)
    return found


def growth(arguments: argparse.Namespace) -> str:
    """Processor seconds and memory of a coreset over float16 patches in a file."""
    table, costs = [], []
    for count in arguments.growth:
        with patches_in_file(count) as patches:
            began = time.process_time()
            with Resident() as resident:
                seconds, _ = timed(greedy_coreset, patches, 1000, threads=1)
            costs.append(time.process_time() - began)
        own, file_pages = resident.megabytes
        table.append([f"{count:,} x {DIMENSION}", figure(costs[-1]), figure(seconds), f"{own:,}", f"{file_pages:,}"])
    slopes = np.diff(np.log(costs)) / np.diff(np.log(arguments.growth))
    powers = ", ".join(f"{slope:.2f}" for slope in slopes) or "(one size only)"
    said = f"Growth, from each to the next: patches to the power {powers}."
    header = ["random patches in a file, 1,000 rows, 1 thread", "CPU s", "seconds", "own MB", "MB of files"]
    return f"{markdown_table(header, table)}\n\n{said}"


class Resident:
    """The most memory this process holds while it runs: its own, and pages of files, which the system takes back."""

    def __init__(self) -> None:
        self.megabytes = 0, 0
        self._over = Event()
        self._watcher = Thread(target=self._watch)

    def __enter__(self) -> "Resident":
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
            now = (int(lines[name].split()[0]) // 1000 for name in ("RssAnon", "RssFile"))
            self.megabytes = tuple(map(max, self.megabytes, now))  # type: ignore[assignment]


PARTS: dict[str, Callable[[argparse.Namespace], str]] = {
    "overhead": overhead,
    "coreset": coreset,
    "products": products,
    "commands": commands,
    "messages": messages,
    "driver": driver,
    "growth": growth,
    "balance": balance,
}


if __name__ == "__main__":
    main()
