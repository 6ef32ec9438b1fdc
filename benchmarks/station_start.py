"""How long a station with twenty products takes until it is ready: all models on line are loaded and tried.

Once with models of one network at one size, which share its checks, its memory and its session; once with three
efforts, each at three shapes of image: three networks and nine sessions for twenty models.

On a machine where others work, the seconds of the processor tell more; two processors share them, but for the first
second or two, which imports what the models need.

PYTHONPATH=tests:benchmarks python benchmarks/station_start.py --keep
"""

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from machine import Spread, data_folder, markdown_table, publish
from station_process import Served, prepared

from blemish.fitting import fit

RECIPES, PICTURES, STARTS = 20, 40, 5
SHAPES = ("224x320", "256x256", "320x224")
DIFFERENT = [{"effort": effort, "size": shape} for effort in ("quick", "standard", "thorough") for shape in SHAPES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="write the result below benchmarks/results")
    given = parser.parse_args()
    pictures = sorted((data_folder() / "mtd").rglob("MT_Free/**/*.jpg"))[:PICTURES]
    with tempfile.TemporaryDirectory() as folder:
        kinds: dict[str, list[dict[str, Any]]] = {"equal networks": [{}], "three efforts, three shapes each": DIFFERENT}
        tables = [_measured(Path(folder, name), pictures, options) for name, options in kinds.items()]
    rows = [[name, *map(str, own)] for name, own in zip(kinds, tables, strict=True)]
    told = markdown_table(["models", "seconds until ready", "seconds of the processor", "MB in memory"], rows)
    said = f"{RECIPES} products, each a model of {PICTURES} Magnetic Tile pictures; {STARTS} starts."
    publish("station_start", f"{__doc__}\n{said}\n\n{told}\n", seed="none", keep=given.keep)


def _measured(folder: Path, pictures: list[Path], options: list[dict[str, Any]]) -> list[Spread]:
    """Of a station with models of these options: seconds until ready, those of the processor, MB in memory then."""
    folder.mkdir()
    models = [folder / f"{number}.blemish" for number in range(len(options))]
    for model, own in zip(models, options, strict=True):
        fit(pictures, threads=1, progress=False, **own).save(model)
    data = folder / "station"
    names = [f"product-{number}" for number in range(RECIPES)]
    token = prepared(data, {name: [models[number % len(models)]] for number, name in enumerate(names)})
    found = []
    for _ in range(STARTS):
        served = Served(data, token)
        found.append((served.seconds, _processor_seconds(served), _megabytes(served)))
        served.stop()
    return [Spread.of(values) for values in zip(*found, strict=True)]


def _megabytes(served: Served) -> float:
    assert served.process is not None
    lines = Path(f"/proc/{served.process.pid}/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1e3


def _processor_seconds(served: Served) -> float:
    assert served.process is not None
    fields = Path(f"/proc/{served.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
