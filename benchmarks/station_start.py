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
from typing import Literal, TypeAlias, get_args

import cv2
import numpy as np
from machine import Spread, data_folder, markdown_table, publish
from station_process import Served, prepared

from blemish.arrays import Bytes
from blemish.fitting import fit

RECIPES, PICTURES, STARTS = 20, 40, 5
Effort: TypeAlias = Literal["quick", "standard", "thorough"]
Kind: TypeAlias = tuple[Effort, tuple[int, int]]
EFFORTS: tuple[Effort, ...] = get_args(Effort)
SHAPES = ((1, 1), (2, 3), (3, 2))
"""Height over width of what is cut out of each picture."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="write the result below benchmarks/results")
    given = parser.parse_args()
    pictures = sorted((data_folder() / "mtd").rglob("MT_Free/**/*.jpg"))[:PICTURES]
    kinds: dict[str, list[Kind]] = {
        "equal networks": [("standard", SHAPES[0])],
        "three efforts, three shapes each": [(effort, shape) for effort in EFFORTS for shape in SHAPES],
    }
    with tempfile.TemporaryDirectory() as folder:
        tables = [_measured(Path(folder, name), pictures, models) for name, models in kinds.items()]
    rows = [[name, *map(str, own)] for name, own in zip(kinds, tables, strict=True)]
    told = markdown_table(["models", "seconds until ready", "seconds of the processor", "MB in memory"], rows)
    said = f"{RECIPES} products, each a model of {PICTURES} Magnetic Tile pictures; {STARTS} starts."
    publish("station_start", f"{__doc__}\n{said}\n\n{told}\n", seed="none", keep=given.keep)


def _measured(folder: Path, pictures: list[Path], kinds: list[Kind]) -> list[Spread]:
    """Of a station with models of these kinds: seconds until ready, seconds of the processor, MB in memory then."""
    folder.mkdir()
    models = [folder / f"{number}.blemish" for number in range(len(kinds))]
    for model, (effort, shape) in zip(models, kinds, strict=True):
        fit([_cut(path, *shape) for path in pictures], threads=1, progress=False, effort=effort).save(model)
    data = folder / "station"
    names = [f"product-{number}" for number in range(RECIPES)]
    token = prepared(data, {name: [models[number % len(models)]] for number, name in enumerate(names)})
    found = []
    for _ in range(STARTS):
        served = Served(data, token)
        found.append((served.seconds, _processor_seconds(served), _megabytes(served)))
        served.stop()
    return [Spread.of(values) for values in zip(*found, strict=True)]


def _cut(path: Path, high: int, wide: int) -> Bytes:
    """The largest part of a picture, from its upper left corner, that is `high` by `wide`."""
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    side = min(pixels.shape[0] // high, pixels.shape[1] // wide)
    return np.ascontiguousarray(pixels[: side * high, : side * wide], np.uint8)


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
