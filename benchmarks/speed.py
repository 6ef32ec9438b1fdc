"""Every speed that is claimed, in one run, and where the time goes: steps of an image beside what they cannot go below.

    BLEMISH_DATA=... python benchmarks/speed.py --output
    BLEMISH_DATA=... python benchmarks/speed.py --before OLD_ENV/bin/python --anomalib-python PEER/bin/python --output

Fit on 200 Magnetic Tile images and inspect 100, one by one, on all cores, at --effort standard; beside them an older
blemish at its defaults and this one at quick, in turn; and anomalib's PatchCore, ResNet-18 at 256 x 256, with blemish
on the same network and size. The last needs `blemish backbone export resnet18 --weights FILE --save-as resnet18_tv`.
Most of the five minutes that all of it takes are anomalib's fit.

Milliseconds are of the clock and, in brackets, of the processor, all threads together: where other work shares the
cores, the processor's tell more.
"""

import argparse
import math
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import onnx
from against_anomalib import PEERS, WEIGHTS, judged, lay_out, run
from before_and_after import about, in_turn, side_of, turns
from end_to_end import sgemm_rate
from machine import Spread, data_folder, figure, markdown_table, publish

from blemish.arrays import Floats
from blemish.backbones.backbone import load_backbone
from blemish.detector import Detector
from blemish.features.looks import PlannedLook, graph_of, grid_names, plan_looks
from blemish.features.patches import ImagePatches, look, make_extractor
from blemish.fitting import fit
from blemish.images.read import read_image
from blemish.images.transform import Transform
from blemish.kernels.best import best_kernels
from blemish.methods.patchcore import PatchCore, PatchScores, compare
from blemish.search.exact import bound_axes

STEPS = 20
"""Images whose steps are measured one by one."""
TIMES = 3
BARS = {
    "inspect": "at most 40 ms beyond reading",
    "fit": "60",
    "memory": "1500",
    "quick": "1.03",
    "anomalib": "1.5 times",
    "same fit": "25 times",
    "same inspect": "2.8 times",
}

Rows = list[list[str]]


def main() -> None:
    arguments = parse()
    extra = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_out(data_folder() / "mtd", folder, arguments.images, arguments.tests)
        detector, rows, inspect_ms = standard(folder)
        tables = [step_table(detector, sorted((folder / "test").iterdir())[:STEPS])]
        if arguments.before:
            before = about(arguments.before)
            extra["before"] = str(before)
            rows += quick(arguments.before, folder)
        if arguments.anomalib_python:
            rows += peer(arguments, folder, inspect_ms)
    claims = markdown_table(["", "blemish", "the other", "ratio", "bar"], rows)
    said = f"{arguments.images} good images to fit on, {arguments.tests} to inspect; medians, in brackets the range."
    publish("speed", "\n\n".join([said, claims, *tables]), seed=0, keep=arguments.output, extra=extra)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", help="the Python of an environment with an older blemish")
    parser.add_argument("--anomalib-python", help="the Python of an environment with anomalib 2.7")
    parser.add_argument("--backbone", default="resnet18_tv", help="the exported ResNet-18")
    parser.add_argument("--images", type=int, default=200, help="good images to fit on")
    parser.add_argument("--tests", type=int, default=100, help="images to inspect, half of them defective")
    parser.add_argument("--output", action="store_true", help="keep the tables in benchmarks/results")
    return parser.parse_args()


def standard(folder: Path) -> tuple[Detector, Rows, float]:
    """Fit and inspect at standard: the detector, its rows, and milliseconds an image."""
    began, used = time.perf_counter(), time.process_time()
    detector = fit(folder / "train", effort="standard", progress=False)
    seconds, processor = time.perf_counter() - began, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    tests = sorted((folder / "test").iterdir())
    for image in tests[:3]:
        detector.inspect(image)
    inspect = Spread.of(milliseconds(lambda: [detector.inspect(image) for image in tests], len(tests))[0])
    many = Spread.of(milliseconds(lambda: list(detector.inspect_many(tests)), len(tests))[0])
    rows = [
        ["standard: fit (s)", f"{figure(seconds)} ({figure(processor)})", "", "", BARS["fit"]],
        ["standard: peak memory of fit (MB)", figure(peak), "", "", BARS["memory"]],
        ["standard: inspect, one by one (ms)", str(inspect), "", "", BARS["inspect"]],
        ["standard: inspect_many (ms an image)", str(many), "", "", ""],
    ]
    return detector, rows, inspect.median


def milliseconds(work: Callable[[], Any], parts: int = 1) -> tuple[list[float], list[float]]:
    """Do it TIMES times: milliseconds of the clock, and of the processor, for each of its parts."""
    clock, processor = [], []
    for _ in range(TIMES):
        began, used = time.perf_counter(), time.process_time()
        work()
        clock.append(1000 * (time.perf_counter() - began) / parts)
        processor.append(1000 * (time.process_time() - used) / parts)
    return clock, processor


def step_table(detector: Detector, images: Sequence[Path]) -> str:
    """The steps of an image one by one, on all threads, beside what arithmetic alone would take on them."""
    method, transform, threads = detector.model.method, detector.manifest.transform, detector.extractors.threads
    assert isinstance(method, PatchCore), "what fit makes by default"
    rate = sgemm_rate() * threads
    sized = [detector.viewer(read_image(path), path.name)[0] for path in images]
    rows = [step("read and size", lambda path: detector.viewer(read_image(path), path.name), images, 0, rate)]
    rows.append(step("network, all looks", detector.extractors.alone, sized, 0, rate))
    for name, plan in zip(method.settings.looks, plans(detector), strict=True):
        graph = graph_of([plan], method.settings.with_looks([]), transform.codes)
        alone = make_extractor(graph, transform.height, transform.width, threads=threads)
        rows.append(step(f"network, {name} alone", alone, sized, operations(graph, transform), rate))
    looked = [patches_of(detector, path) for path in images]
    for number, (name, own) in enumerate(zip(method.settings.looks, method.looks, strict=True)):
        values = [one[number].values_QD for one in looked]
        kind = best_kernels().kind
        axes = min(values[0].shape[1], bound_axes(values[0].shape[1], kind)[0]) + 1
        floor = 2 * len(values[0]) * len(own.bank.rows_KD) * axes
        size = f"{len(values[0]):,} in {len(own.bank.rows_KD):,} rows"
        words = f"search, {name}: {size}, {axes} numbers in {kind.name.lower()}"
        rows.append(step(words, partial(own.search.query, threads=threads), values, floor, rate))
    answers = [[compare(*each, threads) for each in zip(method.looks, one, strict=True)] for one in looked]
    drawn = list(zip(looked, answers, strict=True))
    rows.append(step("maps of all looks", lambda one: maps_of(method, *one), drawn, 0, rate))
    rows.append(step("the whole inspection", detector.inspect, images, 0, rate))
    header = ["steps, ms an image", "took", "GFLOP", f"floor at {rate / 1e9:.0f} GFLOP/s in float32"]
    return markdown_table(header, rows)


def step(words: str, work: Callable[[Any], Any], items: Sequence[Any], operations: float, rate: float) -> list[str]:
    """A row: the median over some items of what this step takes, each done TIMES times and the fastest taken."""
    work(items[0])
    taken = [tuple(map(min, milliseconds(partial(work, item)))) for item in items]
    clock, processor = (statistics.median(each) for each in zip(*taken, strict=True))
    floor = [figure(operations / 1e9), figure(1000 * operations / rate)] if operations else ["", ""]
    return [words, f"{figure(clock)} ({figure(processor)})", *floor]


def plans(detector: Detector) -> list[PlannedLook]:
    """The looks as they were planned at fit."""
    settings = detector.manifest.settings
    return plan_looks(settings, load_backbone(settings.backbone))


def patches_of(detector: Detector, path: Path) -> list[ImagePatches]:
    """What each look sees of an image."""
    features = look(path, detector.viewer, detector.extractors.alone).features
    return [features[name] for name in grid_names(len(features))]


def maps_of(method: PatchCore, patches: Sequence[ImagePatches], answers: Sequence[PatchScores]) -> list[Floats]:
    return [method.map_of(*each) for each in zip(method.looks, patches, answers, strict=True)]


def operations(graph: bytes, transform: Transform) -> float:
    """Of the convolutions of a graph at one size: twice the products."""
    model = onnx.load_from_string(graph)
    sides = model.graph.input[0].type.tensor_type.shape.dim[:2]
    for axis, size in zip(sides, (transform.height, transform.width), strict=True):
        axis.Clear()
        axis.dim_value = size
    shaped = onnx.shape_inference.infer_shapes(model).graph
    sizes = {value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim] for value in shaped.value_info}
    weights = {values.name: values.dims for values in shaped.initializer}
    convolutions = [node for node in shaped.node if node.op_type == "Conv"]
    products = sum(math.prod(sizes[node.output[0]]) * math.prod(weights[node.input[1]][1:]) for node in convolutions)
    return float(2 * products)


def quick(before: str, folder: Path) -> Rows:
    """An older version's defaults beside this one at quick, in processes that take turns; the ratio is new over old."""
    pairs: dict[str, list[tuple[Any, Any]]] = {}
    with side_of(before, folder) as old, side_of(sys.executable, folder, effort="quick") as new:
        for work in ["ready", "fit", *turns(TIMES)]:  # whoever fits first reads the files from the disk
            pairs.setdefault(work, []).append(in_turn(work, old, new, swapped=len(pairs.get(work, [])) % 2 == 1))
    rows = []
    for words, work, key in [
        ("quick: fit (s)", "fit", "seconds"),
        ("the same, processor time (s)", "fit", "cpu"),
        ("quick: 100 images, one by one (s)", "inspect", "seconds"),
        ("the same, processor time (s)", "inspect", "cpu"),
    ]:
        old_s, new_s = ([pair[side][key] for pair in pairs[work]] for side in (0, 1))
        ratio = Spread.of_ratios(new_s, old_s)
        rows.append([words, *map(str, (Spread.of(new_s), Spread.of(old_s), ratio)), BARS["quick"]])
    return rows


def peer(arguments: argparse.Namespace, folder: Path, inspect_ms: float) -> Rows:
    """anomalib's PatchCore beside blemish on the same network and size, and beside standard."""
    weights = data_folder().parent / WEIGHTS
    method = ["--method", "patchcore"]
    ours = run([sys.executable, PEERS / "blemish_side.py", folder, "--backbone", arguments.backbone, *method])
    theirs = judged(run([arguments.anomalib_python, PEERS / "anomalib_side.py", folder, "--weights", weights, *method]))
    return [
        against("same network as anomalib: fit (s)", ours["fit_seconds"], theirs["fit_seconds"], BARS["same fit"]),
        against("the same: inspect (ms)", ours["inspect_ms"], theirs["inspect_ms"], BARS["same inspect"]),
        against("standard beside anomalib: inspect (ms)", inspect_ms, theirs["inspect_ms"], BARS["anomalib"]),
    ]


def against(words: str, ours: float, theirs: float, bar: str) -> list[str]:
    return [words, figure(ours), figure(theirs), f"{theirs / ours:.2f} times", bar]


if __name__ == "__main__":
    main()
