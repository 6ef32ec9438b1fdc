"""A folder of Magnetic Tile images from file to CSV, map included: blemish beside anomalib's Engine.predict.

    BLEMISH_DATA=... python benchmarks/end_to_end.py --anomalib-python ANOMALIB_ENV/bin/python --save-anomalib FILE
    BLEMISH_DATA=... python benchmarks/end_to_end.py --anomalib-json FILE --openvino

Our side does what `blemish inspect FOLDER --csv FILE` does, on all cores, with the compiled kernels and without them;
imports and loading count on neither side.
Beside it stand the floors, each measured on one thread: decoding and sizing, the network alone, and the bound's
product at the rate of NumPy's sgemm. --openvino needs the package openvino. The backbone comes from
`blemish backbone export resnet18 --weights FILE --save-as resnet18_tv`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from against_anomalib import PEERS, WEIGHTS, auroc, lay_out
from machine import Spread, data_folder, figure, markdown_table, publish, versions

from blemish.arrays import Array
from blemish.detector import Detector, load
from blemish.features.patches import OPENVINO, make_extractor
from blemish.fitting import fit
from blemish.images.read import read_image
from blemish.kernels.points import Kind
from blemish.kernels.pure import Pure
from blemish.methods.patchcore import PatchCore
from blemish.reports.table import CsvFile
from blemish.search.exact import ExactSearch, bound_axes

SAME, DEFAULTS = "same network (ResNet-18, 256 x 256, 1 %)", "our defaults"
BARS = {SAME: 3.0, DEFAULTS: 8.0}
FLOOR_BAR = 1.5
PAUSE = 1.0
"""Seconds for the peer's threads to stop spinning."""
FLOORS = ("decode, size", "network", "bound product")
SGEMM = """
import time, numpy
a, b = numpy.ones((784, 1024), numpy.float32), numpy.ones((1024, 4096), numpy.float32)
def seconds():
    start = time.perf_counter(); a @ b; return time.perf_counter() - start
seconds(); print(2 * 784 * 1024 * 4096 / min(seconds() for _ in range(8)))
"""

Answer = dict[str, Any]
"""What peers/anomalib_side.py prints."""


class Row:
    """One detector: milliseconds an image of each step, run by run, and its scores."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.inspect: list[float] = []
        self.steps: dict[str, list[float]] = {step: [] for step in FLOORS}
        self.scores: dict[str, float] = {}

    def measure(self, images: Sequence[Path], csv: Path, rate: float) -> None:
        """One run: the whole way on all threads, then each floor on one."""
        began = time.perf_counter()
        with CsvFile(csv) as table:
            for result in self.detector.inspect_many(images):
                table.add(result)
                self.scores[Path(result.path).name] = result.score
        self.inspect.append(1000 * (time.perf_counter() - began) / len(images))
        steps = floors(self.detector, images, rate)
        for step, milliseconds in zip(FLOORS, steps, strict=True):
            self.steps[step].append(milliseconds)

    def floor(self) -> list[float]:
        """The sum of the floors over the cores, run by run."""
        return [sum(steps) / self.detector.extractors.threads for steps in zip(*self.steps.values(), strict=True)]


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        lay_out(data_folder() / "mtd", scratch, arguments.images, arguments.tests)
        tests = sorted((scratch / "test").iterdir())
        saved = read_answers(arguments.anomalib_json, tests) if arguments.anomalib_json else []
        rows = {what: Row(detector) for what, detector in make_detectors(scratch, arguments).items()}
        for row in rows.values():
            list(row.detector.inspect_many(sorted((scratch / "warm_up").iterdir())))
        answers = []
        peer = None if saved else Anomalib(scratch, arguments)
        for run in range(arguments.runs):
            answers.append(peer.answer() if peer else saved[run % len(saved)])
            time.sleep(PAUSE)
            rate = sgemm_rate()
            for row in rows.values():
                row.measure(tests, scratch / "results.csv", rate)
    if arguments.save_anomalib:
        arguments.save_anomalib.write_text("".join(json.dumps(answer) + "\n" for answer in answers), encoding="utf-8")
    extra = {f"{name} (its own environment)": number for name, number in answers[0]["versions"].items()}
    extra |= versions(["openvino"] if arguments.openvino else [])
    publish("end_to_end", report(rows, answers, arguments), seed=0, keep=arguments.output, extra=extra)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    peer = parser.add_mutually_exclusive_group(required=True)
    peer.add_argument("--anomalib-python", help="the Python of an environment with anomalib 2.7")
    peer.add_argument("--anomalib-json", type=Path, help="its answers of an earlier run, one JSON object a line")
    parser.add_argument("--save-anomalib", type=Path, help="keep its answers in this file")
    parser.add_argument("--backbone", default="resnet18_tv", help="the exported ResNet-18")
    parser.add_argument("--images", type=int, default=200, help="good images to fit on")
    parser.add_argument("--tests", type=int, default=100, help="images to inspect, half of them defective")
    parser.add_argument("--runs", type=int, default=5, help="paired runs")
    parser.add_argument("--openvino", action="store_true", help="also inspect with OpenVINO, in float32 and bfloat16")
    parser.add_argument("--output", action="store_true", help="keep the tables in benchmarks/results")
    return parser.parse_args()


def make_detectors(scratch: Path, arguments: argparse.Namespace) -> dict[str, Detector]:
    """Both detectors of the claim, and both without the compiled kernels; with --openvino also on its providers."""
    like_anomalib = {"backbone": arguments.backbone, "taps": [2, 3], "size": (256, 256), "resize": "stretch"}
    like_anomalib |= {"coreset": 0.01, "image_score": "reweighted"}
    made = {SAME: fit(scratch / "train", **like_anomalib), DEFAULTS: fit(scratch / "train")}
    for what, detector in list(made.items()):
        model = scratch / "tile.blemish"
        detector.save(model)
        made[f"{what}, NumPy kernels"] = numpy_only(load(model))
        if arguments.openvino:
            made |= {f"{what}, {provider}": load(model, provider=provider) for provider in OPENVINO}
    return made


def numpy_only(detector: Detector) -> Detector:
    """The same without the compiled kernels."""
    method = detector.model.method
    assert isinstance(method, PatchCore), "what fit makes by default"
    looks = [replace(look, search=ExactSearch(look.bank.rows_KD, kernels=Pure())) for look in method.looks]
    return detector.with_model(replace(detector.model, method=method.with_looks(looks)))


class Anomalib:
    """The peer in a process of its own, by its own Python: fits when it is made, predicts when it is asked."""

    def __init__(self, scratch: Path, arguments: argparse.Namespace) -> None:
        weights = data_folder().parent / WEIGHTS
        script = PEERS / "anomalib_side.py"
        command = [arguments.anomalib_python, script, scratch, "--weights", weights, "--turns"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answer(self) -> Answer:
        """What it says of the test images; the first time it fits before."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("{"):
                answer: Answer = json.loads(line)
                return answer
        raise SystemExit("anomalib ended before it answered; see what it printed above.")


def read_answers(path: Path, tests: Sequence[Path]) -> list[Answer]:
    answers = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    if not answers or any(answer["scores"].keys() != {test.name for test in tests} for answer in answers):
        raise SystemExit(f"{path} does not hold anomalib's answers on these {len(tests)} images; run it again.")
    return answers


def sgemm_rate() -> float:
    """Floating point operations a second of one core; BLAS reads the number of threads when it is loaded."""
    one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    command = [sys.executable, "-c", SGEMM]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | one).stdout)


def floors(detector: Detector, images: Sequence[Path], rate: float) -> tuple[float, float, float]:
    """Milliseconds an image of what cannot be left out, on one thread."""
    manifest, transform = detector.manifest, detector.manifest.transform
    extractor = make_extractor(
        detector.model.graph, transform.height, transform.width, provider=detector.extractors.provider
    )
    began = time.perf_counter()
    sized: list[Array] = [transform(read_image(path), path.name)[0] for path in images]
    read = time.perf_counter()
    for image in sized:
        extractor(image)
    ran = time.perf_counter()
    assert isinstance(detector.model.method, PatchCore)
    rows, dimension = detector.model.method.looks[0].bank.rows_KD.shape
    axes = min(dimension, bound_axes(dimension, Kind.FLOAT32)[0])
    product = 2 * manifest.grid[0] * manifest.grid[1] * rows * (axes + 1) / rate
    return 1000 * (read - began) / len(images), 1000 * (ran - read) / len(images), 1000 * product


def report(rows: dict[str, Row], answers: Sequence[Answer], arguments: argparse.Namespace) -> str:
    source = "in an earlier run" if arguments.anomalib_json else "in turn with ours"
    said = (
        f"{arguments.images} good images to fit on, {arguments.tests} to inspect; medians of {arguments.runs} runs, in "
        f"brackets the range. anomalib, always ResNet-18 at 256 x 256, ran {source}. Each floor is of one thread; "
        "their sum is divided by the cores."
    )
    return "\n\n".join([said, speed_table(rows, answers), floor_table(rows), *differences(rows)])


def speed_table(rows: dict[str, Row], answers: Sequence[Answer]) -> str:
    theirs = [answer["inspect_ms"] for answer in answers]
    peer = [str(Spread.of(theirs)), f"{auroc(answers[-1]['scores']):.2f} %"]
    lines = []
    for what, row in rows.items():
        times, bar = Spread.of_ratios(theirs, row.inspect), BARS.get(what)
        verdict = f"{bar:g} ({'met' if times.median >= bar else 'missed'})" if bar else ""
        ours = [str(Spread.of(row.inspect)), f"{auroc(row.scores):.2f} %"]
        lines.append([what, *ours, *peer, str(times), verdict])
    header = ["", "blemish, ms an image", "image AUROC", "anomalib, ms an image", "image AUROC", "times", "bar"]
    return markdown_table(header, lines)


def floor_table(rows: dict[str, Row]) -> str:
    lines = []
    for what, row in rows.items():
        floor = row.floor()
        over = Spread.of_ratios(row.inspect, floor)
        verdict = f"{FLOOR_BAR:g} ({'met' if over.median <= FLOOR_BAR else 'missed'})"
        steps = [str(Spread.of(milliseconds)) for milliseconds in row.steps.values()]
        lines.append([what, *steps, str(Spread.of(floor)), str(over), verdict])
    return markdown_table(["floors, ms an image", *FLOORS, "sum / cores", "our time over it", "bar"], lines)


def differences(rows: dict[str, Row]) -> list[str]:
    """How far OpenVINO moves the scores, relative to ONNX Runtime's."""
    lines = []
    for what, provider in ((what, provider) for what in BARS for provider in OPENVINO):
        if moved := rows.get(f"{what}, {provider}"):
            before = np.array([rows[what].scores[name] for name in moved.scores])
            relative = np.abs(np.array(list(moved.scores.values())) - before) / before
            largest, middle = figure(100 * float(relative.max())), figure(100 * float(np.median(relative)))
            lines.append([f"{what}, {provider}", middle, largest])
    return [markdown_table(["score differences, % of the score", "median", "largest"], lines)] if lines else []


if __name__ == "__main__":
    main()
