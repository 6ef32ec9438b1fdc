"""Export models of real parts, and inspect every image of their data sets by the model and by its export.

PYTHONPATH=tests:benchmarks python tests/campaigns/export_agreement.py --keep

The banks are small and learn from few images: agreement is asked, not detection. All images are inspected, or with
`--every N` each Nth of them; `--good N` are fitted on.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from machine import data_folder, markdown_table, publish

from blemish.data.protocols.solar_cells import solar_cells
from blemish.errors import DataError
from blemish.export.artefact import Artefact
from blemish.export.compare import Agreement, compare
from blemish.export.exporting import export_bytes
from blemish.fitting import fit

QUICK: dict[str, Any] = {"effort": "quick", "coreset": 1000}
STANDARD: dict[str, Any] = {"effort": "standard", "coreset": 1000}


class Case(NamedTuple):
    """What is fitted on, and all that is inspected."""

    name: str
    good: Sequence[Path]
    images: Sequence[Path]
    options: dict[str, Any]


def cases(data: Path) -> list[Case]:
    """The data sets that are there; solar cells where the package elpv-dataset is installed."""
    tiles = sorted((data / "mtd").glob("MT_*/Imgs/*.jpg"))
    steel = _below(data / "bsd" / "train"), [*_below(data / "bsd" / "train"), *_below(data / "bsd" / "test")]
    frames = _below(data / "ped2" / "train"), _below(data / "ped2" / "test")
    found = [
        Case("bsd, quick", *steel, QUICK),
        Case("bsd, three looks", *steel, STANDARD),
        Case("Magnetic Tile, quick", [path for path in tiles if "MT_Free" in str(path)], tiles, QUICK),
        Case("Ped2, quick", *frames, QUICK),
    ]
    try:
        mono, poly = solar_cells("mono"), solar_cells("poly")
    except DataError as error:
        print(f"Solar cells are left out: {error}")
        return found
    cells = sorted(mono.functional[0].parent.glob("*.png"))
    return [*found, Case("ELPV, quick", [*mono.functional, *poly.functional], cells, QUICK)]


def _below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in {".png", ".jpg"})


def measured(case: Case, good_images: int, every: int) -> Agreement:
    """Fit on some images, evenly spread, export, and inspect by both."""
    good = case.good[:: max(1, len(case.good) // good_images)][:good_images]
    detector = fit(good, threads=1, progress=False, **case.options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part.onnx"
        path.write_bytes(export_bytes(detector.model))
        return compare(detector, Artefact.load(path, threads=1), case.images[::every])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="write the result")
    parser.add_argument("--only", help="cases whose name holds this")
    parser.add_argument("--good", type=int, default=60, help="good images to fit on")
    parser.add_argument("--every", type=int, default=1, help="inspect each Nth image")
    arguments = parser.parse_args()
    rows = []
    for case in cases(data_folder()):
        if arguments.only and arguments.only not in case.name:
            continue
        began = time.process_time()
        found = measured(case, arguments.good, arguments.every)
        print(f"{case.name}: {found} ({time.process_time() - began:.0f} s of processor time)", flush=True)
        figures = f"{found.score:.1e}", f"{found.map:.1e}", str(len(found.verdicts))
        rows.append([case.name, f"{found.images:,}", *figures])
    table = markdown_table(["images", "inspected", "scores differ by", "maps differ by", "verdicts differ"], rows)
    results = Path(__file__).parent / "results"
    publish("export_agreement", f"{__doc__}\n{table}", seed=0, keep=arguments.keep, results=results)


if __name__ == "__main__":
    main()
