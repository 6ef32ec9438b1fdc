"""The patches of the training images, each with the image and the place it comes from."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from blemish.arrays import Bools, Floats, Ints
from blemish.progress import Progress, silent

__all__ = ["ImagePatches", "TrainingPatches", "gather"]

Window = tuple[slice, slice]
"""Rows and columns of the grid that show the image; the rest of the grid shows padding."""


@dataclass(frozen=True)
class ImagePatches:
    """The patches of one image: the whole grid, and the window of it that shows the image."""

    grid_hwD: Floats
    window: Window

    @property
    def seen_QD(self) -> Floats:
        """The patches inside the window, row by row."""
        part = self.grid_hwD[self.window]
        return part.reshape(-1, part.shape[2])


@dataclass(frozen=True)
class TrainingPatches:
    """The patches of all training images, image after image, row by row of each image's window."""

    values_ND: Floats
    image_N: Ints
    """Which image each patch comes from."""
    cell_N: Ints
    """Where on the grid: row * w + column."""
    grid: tuple[int, int]
    windows: list[Window]
    """One per image."""

    def of_image(self, image: int) -> slice:
        """The patches of one image."""
        first, last = np.searchsorted(self.image_N, [image, image + 1])
        return slice(int(first), int(last))

    def of_images(self, kept: Bools) -> "TrainingPatches":
        """Only the patches of the images that are kept; images keep their numbers."""
        chosen_N = kept[self.image_N]
        return TrainingPatches(
            self.values_ND[chosen_N], self.image_N[chosen_N], self.cell_N[chosen_N], self.grid, self.windows
        )


def gather(images: Iterable[ImagePatches], count: int, *, progress: Progress = silent) -> TrainingPatches:
    """Lay the patches of `count` images into one array, sized by the first image's grid."""
    values_ND: Floats | None = None
    image_numbers, cells, windows = [], [], []
    filled = 0
    for number, patches in enumerate(images):
        h, w, dimension = patches.grid_hwD.shape
        if values_ND is None:
            values_ND = np.empty((count * h * w, dimension), np.float32)
            grid_cells = np.arange(h * w).reshape(h, w)
        seen_QD = patches.seen_QD
        values_ND[filled : filled + len(seen_QD)] = seen_QD
        filled += len(seen_QD)
        image_numbers.append(np.full(len(seen_QD), number))
        cells.append(grid_cells[patches.window].ravel())
        windows.append(patches.window)
        progress("patches", number + 1, count)
    assert values_ND is not None, "callers pass at least one image"
    return TrainingPatches(
        values_ND[:filled], np.concatenate(image_numbers), np.concatenate(cells), grid_cells.shape, windows
    )
