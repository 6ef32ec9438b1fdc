"""Time and peak memory of fit against the number of images, at a fixed number of rows and at a fixed fraction.

    BLEMISH_DATA=... python benchmarks/growth.py
    BLEMISH_DATA=... python benchmarks/growth.py --images 1000 5000 20000 --series rows "rows, budget"

Magnetic Tile images, repeated with noise (seeded by their number), lie as JPEG files in a temporary folder. Each fit,
threshold included, runs in a process of its own; its peak memory is what the system tells of that process alone.
"""

import argparse
import datetime
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from machine import RESULTS, data_folder, figure, markdown_table, publish

NOISE = 4.0
"""Standard deviation of the noise, in grey levels."""
COLOURS = {"rows": "#1f77b4", "rows, budget": "#17becf", "fraction": "#d62728", "fraction, budget": "#ff9896"}
FIT = """
import json, sys, time
from pathlib import Path
from blemish.fitting import fit
folder, count, options = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
images = sorted(Path(folder).iterdir())[:count]
began = time.perf_counter()
detector = fit(images, **options)
print(json.dumps({"seconds": time.perf_counter() - began, "rows": detector.info()["bank"]["rows"]}))
"""


@dataclass(frozen=True)
class Fit:
    """One fit, and what it took."""

    images: int
    rows: int
    seconds: float
    megabytes: float


Series = dict[str, list[Fit]]


def main() -> None:
    arguments = parse()
    series: Series = {name: [] for name in arguments.series}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repeat_images(folder, max(arguments.images))
        for count in sorted(arguments.images):
            for what, fits in series.items():
                if what.startswith("fraction") and count > arguments.fraction_up_to:
                    continue  # its rows grow as well, so time grows with the square
                print(f"{count} images, {what} ...", file=sys.stderr)
                fits.append(run_fit(folder, count, options_of(what, arguments)))
    plot = f"growth_{datetime.date.today().isoformat()}.svg"
    if arguments.output:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / plot).write_text(draw(series), encoding="utf-8")
    publish("growth", report(series, plot, arguments), seed=0, keep=arguments.output)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[100, 300, 1000, 3000], help="sizes, up to 20000")
    parser.add_argument("--series", nargs="+", choices=list(COLOURS), default=list(COLOURS))
    parser.add_argument("--rows", type=int, default=2000, help="rows of the fixed number")
    parser.add_argument("--fraction", type=float, default=0.01, help="the fixed fraction")
    parser.add_argument("--fraction-up-to", type=int, default=5000, help="the most images for series of a fraction")
    parser.add_argument("--memory", default="500MB", help="the budget of the series that have one")
    parser.add_argument("--size", type=int, default=224, help="the input's size; a smaller one makes fewer patches")
    parser.add_argument("--output", action="store_true", help="keep table and plot in benchmarks/results")
    return parser.parse_args()


def options_of(what: str, arguments: argparse.Namespace) -> dict[str, Any]:
    coreset = arguments.rows if what.startswith("rows") else arguments.fraction
    budget = {"memory": arguments.memory} if "budget" in what else {}
    return {"size": arguments.size, "coreset": coreset, "seed": 0, **budget}


def repeat_images(folder: Path, count: int) -> None:
    """Write so many noisy copies of the good tiles, in turn."""
    mtd = data_folder() / "mtd"
    names = (mtd / "train.txt").read_text(encoding="utf-8").split()
    for number in range(count):
        tile = cv2.imread(str(mtd / names[number % len(names)]), cv2.IMREAD_GRAYSCALE)
        assert tile is not None, names[number % len(names)]
        noise = np.random.default_rng(number).normal(0, NOISE, tile.shape)
        cv2.imwrite(str(folder / f"{number:06}.jpg"), np.clip(tile + noise, 0, 255).astype(np.uint8))


def run_fit(folder: Path, count: int, options: dict[str, Any]) -> Fit:
    """Fit in a process of its own."""
    command = [sys.executable, "-c", FIT, str(folder), str(count), json.dumps(options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        # wait4 tells of this child alone; RUSAGE_CHILDREN keeps the largest of all so far.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"The fit of {count} images ended with exit code {process.returncode}.")
    told = json.loads(said)
    return Fit(count, told["rows"], told["seconds"], usage.ru_maxrss / 1024)


def report(series: Series, plot: str, arguments: argparse.Namespace) -> str:
    said = (
        f"Fit with threshold: {arguments.rows} rows, or {100 * arguments.fraction:g} % of the patches; a budget is "
        f"{arguments.memory}. Input size {arguments.size}. The slope is that of a straight line through the logarithms."
    )
    lines = []
    for what, fits in series.items():
        for fit in fits:
            lines.append([what, f"{fit.images:,}", f"{fit.rows:,}", figure(fit.seconds), figure(fit.megabytes)])
        slopes = [f"slope {slope(fits, quantity):.2f}" for quantity in (seconds, megabytes)]
        lines.append([what, "", "", *slopes])
    header = ["", "images", "bank rows", "fit, s", "peak memory, MB"]
    return "\n\n".join([said, markdown_table(header, lines), f"![Time and memory against images]({plot})"])


def seconds(fit: Fit) -> float:
    return fit.seconds


def megabytes(fit: Fit) -> float:
    return fit.megabytes


def slope(fits: Sequence[Fit], quantity: Callable[[Fit], float]) -> float:
    """Of the least-squares line through the logarithms; not a number for a single size."""
    if len(fits) < 2:
        return math.nan
    line = np.polyfit(np.log([fit.images for fit in fits]), np.log([quantity(fit) for fit in fits]), 1)
    return float(line[0])


PANEL, GAP, TOP, LEFT = 320, 90, 40, 60


def draw(series: Series) -> str:
    """Two log-log panels side by side, as SVG."""
    panels = [
        panel(series, quantity, title, LEFT + place * (PANEL + GAP))
        for place, (quantity, title) in enumerate(((seconds, "fit, s"), (megabytes, "peak memory, MB")))
    ]
    width, height = LEFT + 2 * PANEL + GAP + 20, TOP + PANEL + 90
    keys = [
        f'<text x="{LEFT + 180 * place}" y="{height - 15}" fill="{COLOURS[what]}">{what}</text>'
        for place, what in enumerate(series)
    ]
    start = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
    white = f'<rect width="{width}" height="{height}" fill="white"/>'
    return "\n".join([f'{start} font-size="13">', white, *panels, *keys, "</svg>", ""])


def panel(series: Series, quantity: Callable[[Fit], float], title: str, left: int) -> str:
    """One quantity against the number of images, each axis reaching from tick to tick."""
    all_fits = [fit for fits in series.values() for fit in fits]
    across, up = ticks([fit.images for fit in all_fits]), ticks([quantity(fit) for fit in all_fits])

    def at(fit: Fit) -> tuple[float, float]:
        return left + PANEL * share(fit.images, across), TOP + PANEL * (1 - share(quantity(fit), up))

    parts = [f'<rect x="{left}" y="{TOP}" width="{PANEL}" height="{PANEL}" fill="none" stroke="#999"/>']
    parts.append(f'<text x="{left}" y="{TOP - 12}">{title}</text>')
    parts.append(f'<text x="{left + PANEL / 2}" y="{TOP + PANEL + 40}" text-anchor="middle">images</text>')
    for tick in across:
        x = left + PANEL * share(tick, across)
        parts.append(f'<text x="{x:.1f}" y="{TOP + PANEL + 18}" text-anchor="middle">{tick:g}</text>')
    for tick in up:
        y = TOP + PANEL * (1 - share(tick, up))
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
        parts.append(f'<path d="M{left} {y:.1f}h{PANEL}" stroke="#ddd"/>')
    for what, fits in series.items():
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(at, fits))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[what]}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{COLOURS[what]}"/>' for x, y in map(at, fits)]
    return "\n".join(parts)


def ticks(values: Sequence[float]) -> list[float]:
    """1, 2, 5, 10, ... around the values; at least two."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1
    steps = [digit * 10.0**power for power in range(low, high) for digit in (1, 2, 5)]
    first = max(place for place, step in enumerate(steps) if step <= min(values))
    last = min((place for place, step in enumerate(steps) if step >= max(values)), default=len(steps) - 1)
    return steps[first : max(last, first + 1) + 1]


def share(value: float, axis: Sequence[float]) -> float:
    """How far along a logarithmic axis."""
    return math.log(value / axis[0]) / math.log(axis[-1] / axis[0])


if __name__ == "__main__":
    main()
