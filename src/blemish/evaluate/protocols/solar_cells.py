"""Monocrystalline solar cells of the ELPV data set (Buerhop-Lutz et al., EU PVSEC 2018), from the package elpv-dataset.

The cells whose experts were sure (probability of a defect 0 or 1). The data set has no split for learning from good
images alone: half of the functional cells, drawn at random, train; the others and all defective ones test. It does not
say which cells are of one module, so that every cell is a group.
"""

from pathlib import Path

import numpy as np

from blemish.demo import solar_cells
from blemish.evaluate.protocols.task import Task
from blemish.images.samples import Sample

__all__ = ["solar_cell_task"]


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
