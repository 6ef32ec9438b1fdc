"""The whole job on real images that a package brings: monocrystalline solar cells of the ELPV data set.

Images: CC BY-NC-SA 4.0, Buerhop-Lutz, Deitsch et al.; see the package elpv-dataset.
"""

import csv
import io
import time
from pathlib import Path
from typing import Any

import numpy as np

from blemish.data.protocols.solar_cells import solar_cells
from blemish.data.samples import Sample
from blemish.evaluation.run import evaluate
from blemish.evaluation.trades import Trade, trades
from blemish.fitting import fit
from blemish.model.file import MODEL_FILE
from blemish.reports.html import PAGE
from blemish.reports.page import write_page
from blemish.system.outputs import begins
from blemish.system.progress import Progress, silent
from blemish.system.whole_file import write_whole

__all__ = ["FILES", "run_demo"]

FILES = {
    "solar-cells.blemish": MODEL_FILE,
    "numbers.csv": begins("a CSV of the demo's numbers", "\ufeffgood cells fitted,"),
    "index.html": PAGE,
}
"""What the demo leaves, and what it may write each over."""

GOOD_TO_FIT, GOOD_TO_TEST, DEFECTIVE_TO_TEST = 200, 100, 150
SHOWN = 12


def run_demo(folder: Path, *, progress: Progress = silent) -> tuple[dict[str, Any], list[Trade]]:
    """Fit, save, evaluate and draw; returns the numbers and the operating points that it also leaves in `folder`."""
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
    found = trades(detector, evaluation)
    write_page(folder / "index.html", detector, shown, title="Solar cells", numbers=numbers, points=found)
    return numbers, found


def _write_numbers(path: Path, numbers: dict[str, Any]) -> None:
    table = io.StringIO()
    csv.writer(table).writerows(numbers.items())
    write_whole(path, table.getvalue().encode("utf-8-sig"))
