"""Monocrystalline solar cells of the ELPV data set (Buerhop-Lutz et al., EU PVSEC 2018), from the package elpv-dataset.

The cells whose experts were sure (probability of a defect 0 or 1). The data set has no split for learning from good
images alone: half of the functional cells, drawn at random, train; the others and all defective ones test. It does not
say which cells are of one module, so that every cell is a group.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from blemish.data.protocols.tasks import Task
from blemish.data.samples import Sample
from blemish.errors import DataError

__all__ = ["Cells", "solar_cell_task", "solar_cells"]


def solar_cell_task() -> Task:
    """Raises DataError where the package is missing, saying how to install it."""
    cells = solar_cells()
    order = np.random.default_rng(0).permutation(len(cells.functional))
    train = {int(i) for i in order[: len(order) // 2]}
    good = [_sample(path, 0, train=i in train) for i, path in enumerate(cells.functional)]
    return Task("solar cells, monocrystalline", good + [_sample(path, 1, train=False) for path in cells.defective])


def _sample(path: Path, label: int, *, train: bool) -> Sample:
    defect = "defective" if label else "good"
    return Sample(path, label, defect, None, path.name, "train" if train else "test")


class Cells(NamedTuple):
    """Cells of one kind: functional ones and defective ones, in the data set's order."""

    functional: list[Path]
    defective: list[Path]


def solar_cells(kind: Literal["mono", "poly"] = "mono") -> Cells:
    """The cells of one kind whose experts were sure. Raises DataError where the package elpv-dataset is missing."""
    package = find_spec("elpv_dataset")
    if package is None or not package.submodule_search_locations:
        raise DataError("The demo needs the package elpv-dataset; run: pip install 'blemish[demo]'")
    folder = Path(package.submodule_search_locations[0]) / "data"
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        rows = [line.split() for line in file]
    paths = {
        wanted: [folder / row[0] for row in rows if row[2] == kind and float(row[1]) == wanted] for wanted in (0, 1)
    }
    return Cells(paths[0], paths[1])
