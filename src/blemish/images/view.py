"""How the images of a model are looked at: aligned, hidden where nothing counts, and sized; and the way back."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from blemish.arrays import Array, Bools, Doubles, Floats, Ints
from blemish.errors import ImageError
from blemish.images.align import Aligner
from blemish.images.decode import Rules
from blemish.images.lacking import constant_end
from blemish.images.nodata import measured
from blemish.images.places import Places, hide
from blemish.images.read import USUAL
from blemish.images.transform import Placement, Transform, patch_centres

__all__ = ["View", "Viewer", "pixels_digest"]


def pixels_digest(sized: Array) -> str:
    """The sha256 of an image's pixels as the network sees them, by which a copy is known under any name."""
    return hashlib.sha256(np.ascontiguousarray(sized).data).hexdigest()


@dataclass(frozen=True)
class View:
    """How one image was looked at."""

    placement: Placement
    """Where the image, aligned if it was, lies in the network's input."""
    looked_HW: Bools | None
    """Which of its pixels count; None: all."""
    matrix: Doubles | None
    """From pixels of the aligned image to those of the image as it came (2 x 3); None: it was not aligned."""
    image_height: int
    image_width: int
    """Of the image as it came."""
    name: str
    """For messages."""
    unmeasured: int = 0
    """So many of its pixels were not measured, and do not count."""
    end: float = 0.0
    """The share of its last rows or columns that hold one constant value."""

    @property
    def measured(self) -> float:
        """The share of its pixels that was measured."""
        return 1 - self.unmeasured / (self.image_height * self.image_width)

    def cells(self, grid: tuple[int, int], height: int, width: int) -> Bools:
        """Which cells of an h x w grid over the input count: those whose centre lies on a pixel that does.

        A grid of one cell is about the whole image, and counts. Raises ImageError where no cell does.
        """
        rows, columns = self.placement.window(grid, height, width)
        cells_hw = np.zeros(grid, np.bool_)
        if self.looked_HW is None or grid == (1, 1):
            cells_hw[rows, columns] = True
            return cells_hw
        y = self.placement.to_image_points(patch_centres(np.arange(grid[0]), (grid[0], 1), height, width))[:, 1]
        x = self.placement.to_image_points(patch_centres(np.arange(grid[1]), (1, grid[1]), height, width))[:, 0]
        cells_hw[rows, columns] = self.looked_HW[np.ix_(y[rows], x[columns])]
        if not cells_hw.any():
            raise ImageError(
                f"{self.name}: the areas to look at hold no patch of the network; draw them larger, or raise size."
            )
        return cells_hw

    def to_image(self, input_map: Floats) -> Floats:
        """Carry a map of the input (height x width) to the image as it came; NaN where it was not looked at."""
        map_HW = self.placement.to_image(input_map)
        if self.looked_HW is not None:
            map_HW[~self.looked_HW] = np.nan
        if self.matrix is None:
            return map_HW
        size = self.image_width, self.image_height
        nan = (np.nan,) * 4
        return np.asarray(cv2.warpAffine(map_HW, self.matrix, size, flags=cv2.INTER_LINEAR, borderValue=nan))

    def to_image_points(self, points_P2: Doubles) -> Ints:
        """Carry points (x, y) of the input to the pixels they show of the image as it came."""
        pixels_P2 = self.placement.to_image_points(points_P2)
        if self.matrix is not None:
            pixels_P2 = np.rint(pixels_P2 @ self.matrix[:, :2].T + self.matrix[:, 2]).astype(np.int64)
        return np.asarray(np.clip(pixels_P2, 0, np.array([self.image_width - 1, self.image_height - 1])), np.int64)


@dataclass(frozen=True)
class Viewer:
    """Looks at every image of a model in the same way."""

    transform: Transform
    places: Places | None = None
    aligner: Aligner | None = None
    rules: Rules = USUAL
    """How the images are read that are looked at."""

    def __call__(self, image: Array, name: str) -> tuple[Array, View]:
        """Align, hide and size one image; `name` is for messages. Pixels that were not measured (NaN) do not count.

        Returns uint8 or uint16 (height, width, 3) and how the image was looked at. Raises ImageError for another kind
        of pixels, another aspect than areas or alignment allow, and a part that is not found.
        """
        height, width = image.shape[:2]
        end = constant_end(image)
        known_HW = measured(image)
        if known_HW is not None:
            image = hide(image, known_HW)
        matrix = self.aligner(image, name) if self.aligner else None
        looked_HW = known_HW
        if self.aligner and matrix is not None:
            looked_HW = self.aligner.shown(matrix, np.ones((height, width), np.bool_) if known_HW is None else known_HW)
            image = self.aligner.moved(image, matrix)
        if self.places:
            mask_HW = self.places.of_image(image.shape[0], image.shape[1], name)
            looked_HW = mask_HW if looked_HW is None else looked_HW & mask_HW
            image = hide(image, mask_HW)
        sized, placement = self.transform(image, name)
        unmeasured = 0 if known_HW is None else int(np.count_nonzero(~known_HW))
        return sized, View(placement, looked_HW, matrix, height, width, name, unmeasured, end)

    def of_size(self, height: int, width: int, motion: Sequence[float] | None, name: str) -> View:
        """How an image of this size was looked at, for points alone; `motion` is its matrix row by row."""
        matrix = None if motion is None else np.reshape(np.asarray(motion, np.float64), (2, 3))
        aligned = (self.aligner.height, self.aligner.width) if self.aligner else (height, width)
        return View(self.transform.place(*aligned), None, matrix, height, width, name)
