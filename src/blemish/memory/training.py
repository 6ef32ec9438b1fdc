"""The patches of all training images, each with the image and the place it comes from."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from blemish.arrays import Array, Bools, Floats, Ints
from blemish.features.patches import ImagePatches
from blemish.memory.spill import PatchStore, take_rows
from blemish.system.progress import Progress, silent
from blemish.system.stream import stream

__all__ = ["Gathering", "Patches", "TrainingPatches", "gather"]

Answer = TypeVar("Answer")


class Patches(Protocol):
    """The patches of all training images at one look, wherever they live, numbered image after image."""

    @property
    def grid(self) -> tuple[int, int]: ...

    def count(self, images: Bools | None) -> int:
        """How many patches the images marked have, or all."""

    def first(self, image: int) -> int:
        """The number of an image's first patch."""

    def rows(self, numbers_P: Ints) -> Floats:
        """The patches of these numbers (P, d)."""

    def places(self, numbers_P: Ints) -> tuple[Ints, Ints]:
        """Which image each comes from, and where on its grid: row * w + column."""

    def of_image(self, image: int, among_hw: Bools | None = None) -> ImagePatches:
        """The patches of one image, or those in some of its cells (h x w)."""

    def each(
        self, function: Callable[[int, ImagePatches], Answer], images: Sequence[int], *, threads: int
    ) -> Iterator[Answer]:
        """What the function answers for each of these images, in order; it may be called where the patches live."""


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
    first_image: int = 0
    """The number of the first image."""

    def count(self, images: Bools | None) -> int:
        return len(self.image_N) if images is None else int(images[self.image_N].sum())

    def first(self, image: int) -> int:
        return int(np.searchsorted(self.image_N, image))

    def rows(self, numbers_P: Ints) -> Floats:
        return take_rows(self.values_ND, numbers_P)

    def places(self, numbers_P: Ints) -> tuple[Ints, Ints]:
        return self.image_N[numbers_P], self.cell_N[numbers_P]

    def each(
        self, function: Callable[[int, ImagePatches], Answer], images: Sequence[int], *, threads: int
    ) -> Iterator[Answer]:
        return stream(lambda image: function(image, self.of_image(image)), images, threads=threads)

    def of_image(self, image: int, among_hw: Bools | None = None) -> ImagePatches:
        rows_Q = np.arange(self.first(image), self.first(image + 1))
        seen_hw = self.seen[image - self.first_image]
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
