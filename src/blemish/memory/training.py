"""The patches of all training images, each with the image and the place it comes from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from blemish.arrays import Array, Bools, Ints
from blemish.features.patches import ImagePatches
from blemish.memory.spill import PatchStore, take_rows
from blemish.system.progress import Progress, silent

__all__ = ["Gathering", "TrainingPatches", "gather"]


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

    def of_image(self, image: int, among_hw: Bools | None = None) -> ImagePatches:
        """The patches of one image, or those in some of its cells (h x w)."""
        rows_Q = np.arange(*np.searchsorted(self.image_N, [image, image + 1]))
        seen_hw = self.seen[image]
        if among_hw is not None:
            rows_Q, seen_hw = rows_Q[among_hw[seen_hw]], seen_hw & among_hw
        return ImagePatches(take_rows(self.values_ND, rows_Q), seen_hw)


class Gathering:
    """Lays the patches of `count` images one after the other; `room(rows, dimension)` makes the place for them."""

    def __init__(self, count: int, room: Callable[[int, int], PatchStore]) -> None:
        self._count = count
        self._room = room
        self._store: PatchStore | None = None
        self._images: list[Ints] = []
        self._cells: list[Ints] = []
        self._seen: list[Bools] = []

    def add(self, patches: ImagePatches) -> None:
        """Take the patches of the next image; raises OptionError where the place cannot hold even one image."""
        if self._store is None:
            self._store = self._room(self._count * patches.seen_hw.size, patches.values_QD.shape[1])
            self._store.check_holds(patches.seen_hw.size)
        self._store.append(patches.values_QD)
        self._images.append(np.full(len(patches.values_QD), len(self._seen)))
        self._cells.append(np.flatnonzero(patches.seen_hw))
        self._seen.append(patches.seen_hw)

    def patches(self) -> TrainingPatches:
        """All patches so far, of one image at least."""
        assert self._store is not None, "callers add at least one image"
        image_N, cell_N = np.concatenate(self._images), np.concatenate(self._cells)
        return TrainingPatches(self._store.patches(), image_N, cell_N, self._seen[0].shape, self._seen)


def gather(
    images: Iterable[ImagePatches], count: int, room: Callable[[int, int], PatchStore], *, progress: Progress = silent
) -> TrainingPatches:
    """Lay the patches of `count` images one after the other, as they come. Raises OptionError as `Gathering.add`."""
    gathering = Gathering(count, room)
    for number, patches in enumerate(images):
        gathering.add(patches)
        progress("patches", number + 1, count)
    return gathering.patches()
