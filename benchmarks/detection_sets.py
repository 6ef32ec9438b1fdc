"""The data sets of detection.py: what is fitted on, what is tested, and which half a test image belongs to."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from blemish.data.protocols.magnetic_tile import DISJOINT, PUBLISHED, read_magnetic_tile
from blemish.data.protocols.ped2 import PED2
from blemish.data.protocols.solar_cells import solar_cells
from blemish.data.samples import Sample, read_samples

__all__ = ["SETS", "DataSet", "in_half", "thin"]

Half = Literal["dev", "report"]
CELLS = {"fitted": 300, "good": 200, "defective": 200}
"""Solar cells drawn by each seed: good ones to fit on, then good and defective ones to test."""


@dataclass(frozen=True)
class DataSet:
    """One set of the table."""

    title: str
    read: Callable[[Path, int], list[Sample]]
    """From the folder of all data and a seed."""
    by_pixels: bool = False
    """Whether the set is judged by pixel AUROC in place of image AUROC."""
    bars: tuple[float, float] | None = None
    """What standard and thorough must reach, in percent."""


def _tiles(name: str) -> Callable[[Path, int], list[Sample]]:
    def read(data: Path, seed: int) -> list[Sample]:
        return next(task for task in read_magnetic_tile(data / "mtd") if task.name == name).samples

    return read


def _cells(kind: Literal["mono", "poly"]) -> Callable[[Path, int], list[Sample]]:
    def read(data: Path, seed: int) -> list[Sample]:
        cells = solar_cells(kind)
        random = np.random.default_rng(seed)
        good, defective = ([paths[i] for i in random.permutation(len(paths))] for paths in cells)
        fitted, tested = CELLS["fitted"], CELLS["fitted"] + CELLS["good"]
        return [
            *(_cell(path, 0, "train") for path in good[:fitted]),
            *(_cell(path, 0, "test") for path in good[fitted:tested]),
            *(_cell(path, 1, "test") for path in defective[: CELLS["defective"]]),
        ]

    return read


def _cell(path: Path, label: int, split: Literal["train", "test"]) -> Sample:
    return Sample(path, label, "defective" if label else "good", None, path.stem, split)


def _spindle(data: Path, seed: int) -> list[Sample]:
    return [replace(sample, group=sample.path.stem) for sample in read_samples(data / "bsd")]


def _frames(data: Path, seed: int) -> list[Sample]:
    return PED2.tasks(data / "ped2", data)[0].samples


SETS = {
    "mtd_disjoint": DataSet("Magnetic Tile, tile-disjoint", _tiles(DISJOINT), bars=(90.0, 92.0)),
    "mtd_published": DataSet("Magnetic Tile, published split", _tiles(PUBLISHED), bars=(98.5, 98.8)),
    "elpv_poly": DataSet("ELPV, polycrystalline", _cells("poly"), bars=(94.5, 94.5)),
    "elpv_mono": DataSet("ELPV, monocrystalline", _cells("mono"), bars=(97.0, 97.0)),
    "bsd": DataSet("Ball Screw Drive", _spindle, bars=(99.3, 99.3)),
    "ped2": DataSet("UCSD Ped2 (pixel AUROC)", _frames, by_pixels=True, bars=(98.5, 98.5)),
}


def in_half(sample: Sample, half: Half) -> bool:
    """Whether a test image is one to choose by (dev) or one to report on, by a digest of the part it shows.

    A part is a tile, a cell, a picture of the spindle or a clip, so that all pictures of one tile are in one half.
    """
    digest = hashlib.md5(sample.group.removeprefix("test ").encode(), usedforsecurity=False).hexdigest()
    return (int(digest, 16) % 2 == 0) == (half == "dev")


def thin(samples: Sequence[Sample], count: int | None) -> list[Sample]:
    """About so many of the samples, evenly spread; all of them without a count."""
    return list(samples[:: max(1, len(samples) // count)]) if count else list(samples)
