"""The patches of one image, and which of them show it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from blemish.arrays import Bools, Floats
from blemish.images.transform import Transform
from blemish.images.view import View

__all__ = ["Features", "ImagePatches", "seen_patches"]


@dataclass(frozen=True)
class ImagePatches:
    """The patches of one image: those in the cells of the grid that count, row by row."""

    values_QD: Floats
    seen_hw: Bools
    """Which cells count; the others show padding, or what is not to be looked at."""

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.seen_hw.shape

    @classmethod
    def seen(cls, grid_hwD: Floats, seen_hw: Bools) -> "ImagePatches":
        """Of a whole grid of patches, those that count."""
        if seen_hw.all():
            return cls(grid_hwD.reshape(-1, grid_hwD.shape[2]), seen_hw)
        return cls(grid_hwD[seen_hw], seen_hw)


Features: TypeAlias = Mapping[str, ImagePatches]
"""What the graph answers for one image, by the names of its outputs."""


def seen_patches(grids: Mapping[str, Floats], view: View, transform: Transform) -> Features:
    """Of each of the graph's grids (h, w, d), the patches whose centre lies where the image is looked at."""
    return {
        name: ImagePatches.seen(grid_hwD, view.cells(grid_hwD.shape[:2], transform.height, transform.width))
        for name, grid_hwD in grids.items()
    }
