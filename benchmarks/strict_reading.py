"""What checking a file costs: our reading beside Pillow's plain reading of the same bytes, on real images.

    BLEMISH_DATA=... python benchmarks/strict_reading.py --output

Each image is read by both in turn, several times; the least processor time of each counts, which other programs on
the machine hardly move. Files are read into memory before, since both read them alike.
"""

import argparse
import io
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from machine import Spread, data_folder, markdown_table, publish
from PIL import Image

from blemish.arrays import Array
from blemish.data.protocols.solar_cells import solar_cells
from blemish.images.read import read_image

SETS = {
    "Magnetic Tile (JPEG)": "mtd/MT_*/Imgs/*.jpg",
    "Magnetic Tile, masks (PNG)": "mtd/MT_*/Imgs/*.png",
    "BSData (as unpacked)": "bsd/[!g]*/**/*.*g",
    "UCSD Ped2 (as unpacked)": "ped2/**/*.*g",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=40, help="of each set, evenly spread")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    given = parser.parse_args()
    folder = data_folder()
    sets: dict[str, list[Path]] = {name: sorted(folder.glob(pattern)) for name, pattern in SETS.items()}
    sets["ELPV, solar cells (PNG)"] = sorted(solar_cells().functional)
    rows = [_row(name, _spread_out(paths, given.images), given.turns) for name, paths in sets.items() if paths]
    header = ("images", "count", "pixels, median", "ms, Pillow", "ms, here", "ratio of the sums", "ratio of an image")
    body = (
        "Processor time of reading the bytes of one image into an array: checked here, and as Pillow reads it. "
        "The bar is 1.10.\n\n" + markdown_table(header, rows)
    )
    publish("strict_reading", body, seed="nothing is drawn", keep=given.output)


def _spread_out(paths: list[Path], count: int) -> list[Path]:
    return paths[:: max(1, len(paths) // count)][:count]


def _row(name: str, paths: Iterable[Path], turns: int) -> tuple[str, ...]:
    ours, plain, pixels = [], [], []
    for path in paths:
        data = path.read_bytes()
        mine, theirs = read_image(data), _plain(data)
        assert np.array_equal(mine, theirs), f"{path} is read otherwise"
        here, there = _least((read_image, _plain), data, turns)
        ours.append(here)
        plain.append(there)
        pixels.append(mine.shape[0] * mine.shape[1])
    milliseconds = (f"{sum(times) / len(times) * 1e3:.2f}" for times in (plain, ours))
    ratio = f"{sum(ours) / sum(plain):.2f}"
    return name, str(len(ours)), f"{np.median(pixels):,.0f}", *milliseconds, ratio, str(Spread.of_ratios(ours, plain))


def _plain(data: bytes) -> Array:
    """What most programs do."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))


def _least(readers: Iterable[Callable[[bytes], Array]], data: bytes, turns: int) -> list[float]:
    """The least processor seconds of each reader, taking turns."""
    least = [np.inf for _ in readers]
    for _ in range(turns):
        for number, read in enumerate(readers):
            started = time.process_time()
            read(data)
            least[number] = min(least[number], time.process_time() - started)
    return least


if __name__ == "__main__":
    main()
