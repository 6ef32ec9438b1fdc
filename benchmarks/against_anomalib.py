"""PatchCore, or PaDiM, of blemish beside anomalib's: the same images, network, size and settings, each in a process.

    BLEMISH_DATA=... python benchmarks/against_anomalib.py --anomalib-python ANOMALIB_ENV/bin/python
    BLEMISH_DATA=... python benchmarks/against_anomalib.py --anomalib-python ... --method padim --runs 5

200 Magnetic Tile images, ResNet-18, 256 x 256, threshold and saving included (PatchCore: taps 2 and 3, 1 %, re-weighted
score; PaDiM: taps 1 to 3, 100 random dimensions); then inspection from file to map, one at a time. anomalib predicts
maps of 256 x 256, blemish of the image's size.
Linux only. The backbone comes from `blemish backbone export resnet18 --weights FILE --save-as resnet18_tv`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from machine import Spread, data_folder, markdown_table, publish

PEERS = Path(__file__).parent / "peers"
WEIGHTS = "backbones/resnet18_stem_to_layer3.safetensors"

Figures = dict[str, Any]


def main() -> None:
    arguments = parse()
    weights = data_folder().parent / WEIGHTS
    ours = [sys.executable, PEERS / "blemish_side.py", "--backbone", arguments.backbone, "--method", arguments.method]
    theirs = [arguments.anomalib_python, PEERS / "anomalib_side.py", "--weights", weights, "--method", arguments.method]
    blemish, anomalib = [], []
    with tempfile.TemporaryDirectory() as scratch:
        lay_out(data_folder() / "mtd", Path(scratch), arguments.images, arguments.tests)
        for _ in range(arguments.runs):
            blemish.append(judged(run([*ours, scratch])))
            anomalib.append(judged(run([*theirs, scratch])))
    extra = {f"{name} (its own environment)": number for name, number in anomalib[0]["versions"].items()}
    theme = "against_anomalib" if arguments.method == "patchcore" else f"against_anomalib_{arguments.method}"
    publish(theme, table(blemish, anomalib, arguments), seed=0, keep=arguments.output, extra=extra)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anomalib-python", required=True, help="the Python of an environment with anomalib 2.7")
    parser.add_argument("--method", choices=list(BARS), default="patchcore")
    parser.add_argument("--backbone", default="resnet18_tv", help="the exported ResNet-18")
    parser.add_argument("--images", type=int, default=200, help="good images to fit on")
    parser.add_argument("--tests", type=int, default=100, help="images to inspect, half of them defective")
    parser.add_argument("--runs", type=int, default=2, help="pairs of runs")
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    return parser.parse_args()


def lay_out(mtd: Path, scratch: Path, images: int, tests: int) -> None:
    """Copy the images both sides see: train, test (half good), one of each for validation, three to warm up."""
    listed = (mtd / "train.txt").read_text(encoding="utf-8").split()
    good = sorted({str(path.relative_to(mtd)) for path in mtd.glob("MT_Free/Imgs/*.jpg")} - set(listed))
    defective = sorted(str(path.relative_to(mtd)) for path in mtd.glob("MT_*/Imgs/*.jpg") if "MT_Free" not in str(path))
    held_out = [*every(good[1:], tests // 2), *every(defective[1:], tests - tests // 2)]
    parts = {
        "train": listed[:images],
        "test": held_out,
        "validate_good": good[:1],
        "validate_defective": defective[:1],
        "warm_up": listed[:3],
    }
    for part, names in parts.items():
        (scratch / part).mkdir()
        for name in names:
            shutil.copy(mtd / name, scratch / part / name.replace("/Imgs/", "_"))


def every(names: Sequence[str], count: int) -> list[str]:
    """`count` of the names, evenly spread."""
    return [names[number * len(names) // count] for number in range(count)]


def run(command: Sequence[str | Path]) -> Figures:
    """Run one side to its end: what it printed, with the whole process's seconds and peak memory."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said, subprocess.Popen(command, stdout=said) as process:
        # wait4 tells of this child alone; RUSAGE_CHILDREN keeps the largest of all so far.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - began
        if process.returncode:
            raise SystemExit(f"{Path(command[1]).name} ended with exit code {process.returncode}.")
        said.seek(0)
        figures: Figures = json.loads(said.read().splitlines()[-1])
    figures |= {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss / 1024}
    # perf_counter counts for the whole system, so both processes read one clock.
    figures["ready"] -= began
    # blemish has no engine to go without.
    figures.setdefault("model_alone_ms", figures["inspect_ms"])
    return figures


def judged(figures: Figures) -> Figures:
    """With the image AUROC in place of the scores."""
    return {**figures, "auroc": auroc(figures.pop("scores"))}


def auroc(scores: dict[str, float]) -> float:
    """In percent, over the test images of one run (Mann-Whitney, ties half)."""
    good = [score for name, score in scores.items() if name.startswith("MT_Free")]
    defective = [score for name, score in scores.items() if not name.startswith("MT_Free")]
    wins = sum((bad > fine) + 0.5 * (bad == fine) for bad in defective for fine in good)
    return 100 * wins / (len(good) * len(defective))


ROWS = {
    "fit, threshold and saving included (s)": "fit_seconds",
    "peak memory of fit (MB)": "fit_peak_mb",
    "inspect, file to map, one at a time (ms an image)": "inspect_ms",
    "the same, anomalib without its engine": "model_alone_ms",
    "image AUROC (%)": "auroc",
    "from process start to imported (s)": "ready",
    "whole process, fit and inspection: wall (s)": "wall",
    "whole process: processor time (s)": "cpu",
    "whole process: peak memory (MB)": "peak_mb",
}
BARS = {
    "patchcore": {"fit_seconds": 15.0, "fit_peak_mb": 2.0, "inspect_ms": 2.0},
    "padim": {"fit_seconds": 3.0, "inspect_ms": 3.0},
}


def table(blemish: Sequence[Figures], anomalib: Sequence[Figures], arguments: argparse.Namespace) -> str:
    """Medians (and ranges) of both sides, and of their ratios run by run, beside the bars."""
    bars = BARS[arguments.method]
    rows = [row(measure, key, bars.get(key), blemish, anomalib) for measure, key in ROWS.items()]
    said = (
        f"Ours keeps {blemish[0]['kept']}. {arguments.images} images to fit on, {arguments.tests} to inspect, "
        f"{arguments.runs} pair(s) of runs; in brackets the range. anomalib's fit also scores two validation images, "
        "which it cannot do without."
    )
    return "\n\n".join([said, markdown_table(["", "blemish", "anomalib", "anomalib / blemish", "bar"], rows)])


def row(
    measure: str, key: str, bar: float | None, blemish: Sequence[Figures], anomalib: Sequence[Figures]
) -> list[str]:
    ours, theirs = ([figures[key] for figures in side] for side in (blemish, anomalib))
    ratio = Spread.of_ratios(theirs, ours)
    verdict = f"{bar:g} ({'met' if ratio.median >= bar else 'missed'})" if bar else ""
    return [measure, str(Spread.of(ours)), str(Spread.of(theirs)), "" if key == "auroc" else str(ratio), verdict]


if __name__ == "__main__":
    main()
