"""What `blemish report` costs: seconds to evaluate and to write, and the size of the page.

    BLEMISH_DATA=... python benchmarks/report.py --output

Magnetic Tile Defects (published split) and the monocrystalline cells of ELPV, default preset. Twelve cases are drawn in
either report; with the number of test images only the scores in the page grow.
"""

import argparse
import tempfile
import time
from pathlib import Path

from machine import data_folder, markdown_table, publish

import blemish
from blemish.data.protocols.magnetic_tile import read_magnetic_tile
from blemish.data.protocols.solar_cells import solar_cell_task
from blemish.data.protocols.tasks import Task
from blemish.evaluation.run import evaluate
from blemish.reports.report import write_report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    arguments = parser.parse_args()
    tasks = {"Magnetic Tile": read_magnetic_tile(data_folder() / "mtd")[0], "ELPV": solar_cell_task()}
    with tempfile.TemporaryDirectory() as scratch:
        rows = [row(name, task, Path(scratch)) for name, task in tasks.items()]
    header = ["report on", "test images", "evaluate, s", "write, s", "size, MB"]
    publish("report", markdown_table(header, rows), seed=0, keep=arguments.output)


def row(name: str, task: Task, folder: Path) -> list[str]:
    model, page = folder / "part.blemish", folder / "report.html"
    detector = blemish.fit([s.path for s in task.train], groups=[s.group for s in task.train])
    detector.save(model)
    began = time.perf_counter()
    evaluation = evaluate(detector, task.test)
    evaluated = time.perf_counter()
    write_report(page, detector, evaluation, model=model, data=name)
    written = time.perf_counter()
    seconds = f"{evaluated - began:.1f}", f"{written - evaluated:.1f}"
    return [name, str(len(task.test)), *seconds, f"{page.stat().st_size / 1e6:.2f}"]


if __name__ == "__main__":
    main()
