"""Detection power on every set: quick, standard and thorough beside anomalib, with what an image costs.

    BLEMISH_DATA=... python benchmarks/detection.py --output
    BLEMISH_DATA=... python benchmarks/detection.py --sets elpv_poly bsd --efforts standard --settings join=mean
    BLEMISH_DATA=... python benchmarks/detection.py --efforts none --settings size=224 --seeds 0 1 2 3
    BLEMISH_DATA=... python benchmarks/detection.py --anomalib-python ANOMALIB_ENV/bin/python --output

Every cell (a set, an effort, a seed) runs in a process of its own, on two threads, at the defaults of `blemish.fit` but
for its effort and the settings given. Finished cells are kept in --cells, so that an interrupted run goes on; give
another folder after a change of code. Test images are of two halves by a digest of the part they show: settings are
chosen by the first, `dev`; the second, `report`, says what they are worth. Solar cells are drawn anew by each seed.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from detection_cell import Cell, Figures, Measured, measure
from detection_peer import METHODS, measure_peer
from detection_sets import SETS
from detection_table import NOTES, tables
from machine import publish

EFFORTS = ("quick", "standard", "thorough")


def main() -> None:
    arguments = parse()
    if not arguments.data.is_dir():
        raise SystemExit("Set BLEMISH_DATA, or give --data: the folder that holds the data sets.")
    cells = [cell for cell in asked(arguments) if not arguments.finished or _kept(cell, arguments).is_file()]
    measured = [answer(cell, arguments) for cell in cells]
    seeds = ", ".join(map(str, arguments.seeds))
    extra = {"anomalib (its own environment)": "2.7"} if arguments.anomalib_python else {}
    publish("detection", f"{tables(measured)}\n\n{NOTES}", seed=seeds, keep=arguments.output, extra=extra)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BLEMISH_DATA", "?")))
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--efforts", nargs="+", choices=[*EFFORTS, "none"], default=list(EFFORTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--settings", nargs="+", default=[], metavar="KEY=VALUE", help="further options of fit")
    parser.add_argument("--images", type=int, help="fit and test on about so many images only, to try the script")
    parser.add_argument("--anomalib-python", help="the Python of an environment with anomalib 2.7, to run it beside")
    parser.add_argument("--anomalib-methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--cells", type=Path, default=Path("detection-cells"), help="folder for finished cells")
    parser.add_argument("--finished", action="store_true", help="show what --cells holds, and measure nothing")
    parser.add_argument("--output", action="store_true", help="keep the tables in benchmarks/results")
    return parser.parse_args()


def asked(arguments: argparse.Namespace) -> list[Cell]:
    """The cells to measure, set by set."""
    settings = dict(setting.split("=", 1) for setting in arguments.settings)
    variants = [settings if effort == "none" else {"effort": effort, **settings} for effort in arguments.efforts]
    if arguments.anomalib_python:
        variants += [{"anomalib": method} for method in arguments.anomalib_methods]
    return [
        Cell(data, options, seed, arguments.images)
        for data in arguments.sets
        for options in variants
        for seed in arguments.seeds
        # anomalib draws nothing that the seeds here set; only the solar cells differ.
        if "anomalib" not in options or seed == arguments.seeds[0] or data.startswith("elpv")
    ]


def answer(cell: Cell, arguments: argparse.Namespace) -> Measured:
    """From the folder of finished cells, or measured now."""
    kept = _kept(cell, arguments)
    if kept.is_file():
        return _read(kept)
    if "anomalib" in cell.options:
        found = measure_peer(cell, arguments.data, arguments.anomalib_python)
    else:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            found = pool.submit(measure, cell, arguments.data).result()
    found = dataclasses.replace(found, commit=commit())
    arguments.cells.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(dataclasses.asdict(found), indent=1), encoding="utf-8")
    print(tables([found]), file=sys.stderr, flush=True)
    return found


def _kept(cell: Cell, arguments: argparse.Namespace) -> Path:
    folder: Path = arguments.cells
    return folder / f"{cell.data}_{_digest(cell)}.json"


def commit() -> str:
    """Of this checkout; with a plus where it holds changes."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--exclude", "*", "--dirty=+"]
    described = subprocess.run(command, capture_output=True, text=True, check=False)
    return described.stdout.strip() or "unknown"


def _digest(cell: Cell) -> str:
    """Of what is asked and of the version that answers."""
    asked = json.dumps([dataclasses.asdict(cell), version("blemish")], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()[:12]


def _read(path: Path) -> Measured:
    plain: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    figures = {half: Figures(**each) for half, each in plain["figures"].items()}
    return Measured(**plain | {"cell": Cell(**plain["cell"]), "figures": figures})


if __name__ == "__main__":
    main()
