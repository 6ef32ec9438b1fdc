"""The patches of all training images, each with the image and the place it comes from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from blemish.arrays import Array, Bools, Ints
from blemish.features.patches import ImagePatches
from blemish.memory.spill import PatchStore, take_rows
from blemish.progress import Progress, silent

__all__ = ["TrainingPatches", "gather"]


@dataclass(frozen=True)
class TrainingPatches:
    """The patches of all training images, image after image, row by row of each image's grid."""

    values_ND: Array
    """In memory, or in a file beyond the memory budget; float32, or float16 where the budget asked for it."""
    image_N: Ints
    """Which image each patch comes from."""
    cell_N: Ints
    """Where on the grid: row * w + column."""
    grid: tuple[int, int]
    seen: list[Bools]
    """Which cells of its grid count, one h x w per image."""

    def of_image(self, image: int) -> ImagePatches:
        """The patches of one image."""
        first, last = np.searchsorted(self.image_N, [image, image + 1])
        return ImagePatches(take_rows(self.values_ND, np.arange(first, last)), self.seen[image])


def gather(
    images: Iterable[ImagePatches], count: int, room: Callable[[int, int], PatchStore], *, progress: Progress = silent
) -> TrainingPatches:
    """Lay the patches of `count` images one after the other; `room(rows, dimension)` makes the place for them.

    Raises OptionError where the place cannot hold even one image.
    """
    store: PatchStore | None = None
    image_numbers, cells, seen = [], [], []
    for number, patches in enumerate(images):
        if store is None:
            store = room(count * patches.grid[0] * patches.grid[1], patches.values_QD.shape[1])
            store.check_holds(patches.grid[0] * patches.grid[1])
        store.append(patches.values_QD)
        image_numbers.append(np.full(len(patches.values_QD), number))
        cells.append(np.flatnonzero(patches.seen_hw))
        seen.append(patches.seen_hw)
        progress("patches", number + 1, count)
    assert store is not None, "callers pass at least one image"
    return TrainingPatches(store.patches(), np.concatenate(image_numbers), np.concatenate(cells), seen[0].shape, seen)
