"""A small folder of real solar cells, laid out so that the commands of README and quickstart run in it as they stand.

Images: CC BY-NC-SA 4.0, Buerhop-Lutz, Deitsch et al.; see the package elpv-dataset.
"""

import csv
import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from blemish.data.protocols.solar_cells import Cells, solar_cells
from blemish.errors import DataError

__all__ = ["write_demo_images"]

GOOD, NEW, OK, NG, TURNED = 60, 60, 10, 10, 12
"""How many images each folder gets; line/ shows OK + NG others."""
SIDE = 300
"""Every cell of the data set is SIDE x SIDE pixels."""
CLAMP = (0, 120, 20, 180)
"""Left, top, right and bottom of what `label.png` covers."""
TABLE, DARK = 440, 20
"""Turned cells lie on a table of TABLE x TABLE pixels of this grey level."""
FARTHEST, MOST_DEGREES = 10, 15.0
"""How far from the middle, in pixels, and by how much they are moved and turned."""
RIM = 10
"""areas.json leaves out this many pixels along each edge."""
SOURCE = """Solar cells of the ELPV data set, copied from the Python package elpv-dataset.
Buerhop-Lutz, Deitsch et al.; CC BY-NC-SA 4.0: not for commercial use.

good/      good cells to fit on
line/      good and defective cells, as a line would bring them
new/       further good cells, for blemish calibrate
ok/, ng/   good and defective cells, to measure with
turned/    good cells laid on a dark table, moved and turned, for --align (drawn from cells of the data set)
parts.csv  good/, ok/ and ng/ as one labelled data set
areas.json, label.png   an area to look at, and one to leave out
"""


def write_demo_images(folder: Path) -> dict[str, int]:
    """Copy cells into a new folder and return how many each of its folders holds.

    Raises DataError where the folder holds something already, or the package elpv-dataset is missing.
    """
    good, defective = _shuffled(solar_cells())
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is there already and not an empty folder; name a new one.")
    line = [path for pair in zip(_take(good, OK), _take(defective, NG), strict=True) for path in pair]
    wanted = {
        "good": _take(good, GOOD),
        "line": line,
        "new": _take(good, NEW),
        "ok": _take(good, OK),
        "ng": _take(defective, NG),
    }
    for name, paths in wanted.items():
        _copy(paths, folder / name)
    wanted["turned"] = _take(good, TURNED)
    _write_turned(wanted["turned"], folder / "turned")
    _write_parts(folder)
    _write_areas(folder)
    (folder / "SOURCE.txt").write_text(SOURCE, encoding="utf-8")
    return {name: len(paths) for name, paths in wanted.items()}


def _shuffled(cells: Cells) -> tuple[Iterator[Path], Iterator[Path]]:
    """Functional and defective cells, each once, in an order that is always the same."""
    random = np.random.default_rng(0)
    functional, defective = ([paths[i] for i in random.permutation(len(paths))] for paths in cells)
    return iter(functional), iter(defective)


def _take(paths: Iterator[Path], count: int) -> list[Path]:
    return [next(paths) for _ in range(count)]


def _copy(paths: Iterable[Path], folder: Path) -> None:
    """Copy images under running numbers, so that nobody can tell good from defective by a name."""
    folder.mkdir(parents=True)
    for number, path in enumerate(paths, start=1):
        shutil.copyfile(path, folder / f"{number:04}{path.suffix}")


def _write_parts(folder: Path) -> None:
    """The labelled data set, in the columns that data/samples.py reads."""
    with (folder / "parts.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "label", "split", "group"))
        for name, label, split in (("good", "good", "train"), ("ok", "good", "test"), ("ng", "defective", "test")):
            for path in sorted((folder / name).iterdir()):
                rows.writerow((f"{name}/{path.name}", label, split, f"{name} {path.stem}"))


def _write_turned(paths: Iterable[Path], folder: Path) -> None:
    folder.mkdir()
    random = np.random.default_rng(0)
    for number, path in enumerate(paths, start=1):
        table = Image.new("L", (TABLE, TABLE), DARK)
        x, y = (TABLE - SIDE) // 2 + random.integers(-FARTHEST, FARTHEST + 1, 2)
        table.paste(Image.open(path), (int(x), int(y)))
        angle = random.uniform(-MOST_DEGREES, MOST_DEGREES)
        table.rotate(angle, Image.Resampling.BICUBIC, fillcolor=DARK).save(folder / f"{number:04}.png")


def _write_areas(folder: Path) -> None:
    """A polygon as labelme draws it, and a mask image that is white where nothing is to be looked at."""
    near, far = RIM, SIDE - RIM
    corners = [[near, near], [far, near], [far, far], [near, far]]
    areas = {
        "shapes": [{"label": "cell", "shape_type": "polygon", "points": corners}],
        "imageHeight": SIDE,
        "imageWidth": SIDE,
    }
    (folder / "areas.json").write_text(json.dumps(areas, indent=2) + "\n", encoding="utf-8")
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(255, CLAMP)
    mask.save(folder / "label.png")
