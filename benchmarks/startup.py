"""From process start: how long `import blemish` and `blemish inspect` of one image take.

    BLEMISH_DATA=... python benchmarks/startup.py

Fresh processes, interleaved with an empty Python as the floor; files are in the system's cache after the warm-up.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import Spread, data_folder, markdown_table, publish

import blemish

BARS = {"import blemish": 0.5, "blemish inspect": 1.5}
COMMAND = "from blemish.cli import main; main()"
"""What the installed `blemish` script does."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200, help="good images the model is fitted on")
    parser.add_argument("--runs", type=int, default=15, help="fresh processes of each kind")
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    arguments = parser.parse_args()
    mtd = data_folder() / "mtd"
    train = [mtd / name for name in (mtd / "train.txt").read_text(encoding="utf-8").split()]
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / "tile.blemish"
        detector = blemish.fit(train[: arguments.images])
        detector.save(model)
        rows = detector.info()["bank"]["rows"]
        measured = measure(model, train[-1], arguments.runs)
    figures = [line(step, seconds, measured["python -c pass"]) for step, seconds in measured.items()]
    table = markdown_table(["seconds from process start", "median (range)", "above the floor", "bar"], figures)
    said = f"{arguments.runs} fresh processes of each kind; a model of {rows} bank rows, one {train[-1].suffix} image."
    publish("startup", f"{said}\n\n{table}", seed=0, keep=arguments.output)


def measure(model: Path, image: Path, runs: int) -> dict[str, list[float]]:
    """Seconds of each kind of process, one of each in turn; the first round only warms the caches."""
    commands = {
        "python -c pass": ["pass"],
        "import blemish": ["import blemish"],
        "from blemish import fit, load": ["from blemish import fit, load"],
        "blemish inspect": [COMMAND, "inspect", str(model), str(image)],
    }
    rounds = [{step: seconds(words) for step, words in commands.items()} for _ in range(runs + 1)]
    return {step: [each[step] for each in rounds[1:]] for step in commands}


def seconds(words: list[str]) -> float:
    """One fresh Python; the exit codes 0 (OK) and 1 (NG) are both answers."""
    began = time.perf_counter()
    ended = subprocess.run([sys.executable, "-c", *words], capture_output=True, text=True, check=False)
    lasted = time.perf_counter() - began
    if ended.returncode not in (0, 1):
        raise SystemExit(f"{words[0]} ended with exit code {ended.returncode}: {ended.stderr}")
    return lasted


def line(step: str, values: list[float], floor: list[float]) -> list[str]:
    spread = Spread.of(values)
    above = spread.median - Spread.of(floor).median
    bar = BARS.get(step)
    verdict = f"{bar:g} ({'met' if spread.median < bar else 'missed'})" if bar else ""
    return [step, str(spread), f"{above:.3g}", verdict]


if __name__ == "__main__":
    main()
