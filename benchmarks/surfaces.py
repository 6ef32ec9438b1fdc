"""Large surfaces with tiny defects, drawn from the tiles and the defects of Magnetic Tile Defects.

A surface is a mosaic of crops of good images, brought to one brightness and feathered into each other; of other tiles
for fitting than for testing. Good tiles have marks, too: specks, stains and scratches, some as strong as defects. A
crop is taken where no spot of 8 x 8 pixels strays farther from the mean than MARK grey levels, so that what is pasted
may be told from them. The defects are real ones of the same data set (blowholes, breaks, cracks and frays; uneven
brightness is no local defect), cut out by their masks, shrunk to 8 x 8 pixels and laid over the surface by the shrunk
mask, at the contrast they have. Shrinking leaves little of some: each is counted in the band of its contrast, the mean
of what it adds to its pixels, in grey levels.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from machine import data_folder
from PIL import Image

from blemish.arrays import Bytes, Floats
from blemish.data.protocols.magnetic_tile import read_magnetic_tile
from blemish.data.samples import Sample
from blemish.images.mask import read_mask
from blemish.images.read import read_image
from blemish.system.address import Place

__all__ = ["BANDS", "DEFECT", "MARK", "Counts", "Set", "Stock", "draw", "read_stock"]

CROP, FEATHER = 128, 32
DEFECT = 8
MARK = 15
"""In grey levels."""
RIM = 16
"""Of so many pixels along a tile's border nothing is taken: its edge shows there."""
BANDS = ((0, 10), (10, 20), (20, 35), (35, 255))
"""Of contrast, in grey levels."""
EDGE = 60
"""Defects keep so far from the border, in pixels."""
LOCAL = {"MT_Blowhole", "MT_Break", "MT_Crack", "MT_Fray"}


class Stock(NamedTuple):
    """What surfaces are made of."""

    good: list[Floats]
    """Crops of the surfaces to fit on."""
    line: list[Floats]
    """Crops of the surfaces to inspect."""
    defects: list[Floats]
    """What each adds to DEFECT x DEFECT pixels."""

    def in_band(self, band: tuple[int, int]) -> list[Floats]:
        """The defects of so much contrast."""
        return [added for added in self.defects if band[0] <= np.abs(added).mean() < band[1]]


class Counts(NamedTuple):
    """Surfaces to fit on, good ones to inspect, and defective ones for each band of contrast."""

    good: int
    line: int
    defective: int


class Set(NamedTuple):
    """Surfaces of one size."""

    good: list[Path]
    tests: list[Path]
    places: list[tuple[int, int] | None]
    """Where (x, y) each of the latter has its defect."""
    bands: list[int | None]
    """The band of its contrast, by number."""


def read_stock() -> Stock:
    """Other tiles to fit on than to inspect; only defects that lie in one place."""
    disjoint = read_magnetic_tile(data_folder() / "mtd")[-1]
    return Stock(
        crops([sample.path for sample in disjoint.train]),
        crops([sample.path for sample in disjoint.test if not sample.label]),
        [shrunk(sample) for sample in disjoint.test if sample.path.parts[-3] in LOCAL],
    )


def draw(folder: Path, stock: Stock, size: tuple[int, int], counts: Counts, seed: int) -> Set:
    """Write surfaces to fit on, good ones to inspect, and so many with a defect of each band of contrast."""
    random = np.random.default_rng(seed)
    height, width = size
    fit_on = [save(folder / "good" / f"{n}.png", surface(stock.good, size, random)) for n in range(counts.good)]
    bands: list[int | None] = [None] * counts.line
    bands += [band for band in range(len(BANDS)) for _ in range(counts.defective)]
    tests: list[Path] = []
    places: list[tuple[int, int] | None] = []
    for number, band in enumerate(bands):
        image, place = surface(stock.line, size, random), None
        if band is not None:
            place = int(random.integers(EDGE, width - EDGE)), int(random.integers(EDGE, height - EDGE))
            defects = stock.in_band(BANDS[band])
            paste(image, defects[int(random.integers(len(defects)))], *place)
        tests.append(save(folder / "line" / f"{number:02}.png", image))
        places.append(place)
    return Set(fit_on, tests, places, bands)


def crops(paths: Sequence[Place]) -> list[Floats]:
    """Crops of good tiles, half overlapping, without their slow shading, at mean 128, and without marks."""
    found = []
    for path in paths:
        grey = read_image(path).astype(np.float32)
        flat = (128 + grey - cv2.GaussianBlur(grey, (0, 0), 24))[RIM:-RIM, RIM:-RIM]
        for top in range(0, flat.shape[0] - CROP + 1, CROP // 2):
            for left in range(0, flat.shape[1] - CROP + 1, CROP // 2):
                crop = flat[top : top + CROP, left : left + CROP]
                if np.abs(cv2.blur(crop, (DEFECT, DEFECT)) - 128).max() < MARK:
                    found.append(crop)
    return found


def surface(good: Sequence[Floats], size: tuple[int, int], random: np.random.Generator) -> Bytes:
    """A mosaic of crops, mirrored at random, each fading into the next; cut out of a larger one."""
    height, width = (side + FEATHER for side in size)
    step = CROP - FEATHER
    total = np.zeros((height + CROP, width + CROP), np.float32)
    weight = np.zeros_like(total)
    ramp = np.minimum(1, np.minimum(np.arange(1, CROP + 1), np.arange(CROP, 0, -1)) / FEATHER).astype(np.float32)
    window = np.outer(ramp, ramp)
    for top in range(0, height, step):
        for left in range(0, width, step):
            crop = good[int(random.integers(len(good)))]
            part = np.s_[top : top + CROP, left : left + CROP]
            total[part] += window * crop[:: random.choice([-1, 1]), :: random.choice([-1, 1])]
            weight[part] += window
    return np.asarray(np.clip(total / np.maximum(weight, 1e-6), 0, 255)[FEATHER:height, FEATHER:width], np.uint8)


def shrunk(sample: Sample) -> Floats:
    """What a defect adds to the grey around it, where its mask says so, shrunk to DEFECT x DEFECT pixels."""
    assert sample.mask is not None
    grey, mask = read_image(sample.path).astype(np.float32), read_mask(sample.mask, sample.mask_cut)
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    left, top, width, height = stats[1:][stats[1:, cv2.CC_STAT_AREA].argmax()][:4]
    box = np.s_[top : top + height, left : left + width]
    around = grey[max(0, top - 15) : top + height + 15, max(0, left - 15) : left + width + 15]
    outside = ~mask[max(0, top - 15) : top + height + 15, max(0, left - 15) : left + width + 15]
    added = grey[box] - np.median(around[outside])
    return np.asarray(cv2.resize(added * mask[box], (DEFECT, DEFECT), interpolation=cv2.INTER_AREA), np.float32)


def paste(image: Bytes, added: Floats, x: int, y: int) -> None:
    """Lay a shrunk defect over the image."""
    part = np.s_[y : y + DEFECT, x : x + DEFECT]
    image[part] = np.clip(image[part] + added, 0, 255)


def save(path: Path, pixels: Bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compress_level=1)
    return path
