"""The whole job on real images that a package brings: monocrystalline solar cells of the ELPV data set.

Images: CC BY-NC-SA 4.0, Buerhop-Lutz, Deitsch et al.; see the package elpv-dataset.
"""

import csv
import time
from pathlib import Path
from typing import Any

import numpy as np

from blemish.data.protocols.solar_cells import solar_cells
from blemish.data.samples import Sample
from blemish.evaluation.run import evaluate
from blemish.fitting import fit
from blemish.reports.page import write_page
from blemish.system.progress import Progress, silent

__all__ = [
    "run_demo",
]

GOOD_TO_FIT, GOOD_TO_TEST, DEFECTIVE_TO_TEST = 200, 100, 150
SHOWN = 12


def run_demo(folder: Path, *, progress: Progress = silent) -> dict[str, Any]:
    """Fit, save, evaluate and draw; returns the numbers it also leaves in `folder`."""
    cells = solar_cells()
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    functional = [cells.functional[i] for i in random.permutation(len(cells.functional))]
    defective = [cells.defective[i] for i in random.permutation(len(cells.defective))]
    good = functional[GOOD_TO_FIT : GOOD_TO_FIT + GOOD_TO_TEST]
    samples = [Sample(path, 0, "good", None, path.name, "test") for path in good] + [
        Sample(path, 1, "defective", None, path.name, "test") for path in defective[:DEFECTIVE_TO_TEST]
    ]
    started = time.perf_counter()
    detector = fit(functional[:GOOD_TO_FIT], progress=progress)
    fitted = time.perf_counter()
    detector.save(folder / "solar-cells.blemish")
    evaluation = evaluate(detector, samples, progress=progress)
    assert evaluation.auroc is not None, "both labels are there"
    numbers: dict[str, Any] = {
        "good cells fitted": GOOD_TO_FIT,
        "cells inspected": len(samples),
        "image AUROC": evaluation.auroc.value,
        "good cells rejected": evaluation.confusion.false_reject_rate,
        "defective cells missed": evaluation.confusion.miss_rate,
        "seconds to fit": fitted - started,
        "seconds an image": evaluation.seconds_per_image,
    }
    _write_numbers(folder / "numbers.csv", numbers)
    shown = [*defective[:SHOWN], *good[:SHOWN]]
    write_page(folder / "index.html", detector, shown, title="Solar cells", numbers=numbers)
    return numbers


def _write_numbers(path: Path, numbers: dict[str, Any]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(numbers.items())
