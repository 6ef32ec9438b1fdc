"""The patches of one image, and which of them show it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from blemish.arrays import Floats
from blemish.images.transform import Placement, Transform

__all__ = ["Features", "ImagePatches", "Window", "seen_patches"]

Window = tuple[slice, slice]
"""Rows and columns of the grid that show the image; the rest of the grid shows padding."""


@dataclass(frozen=True)
class ImagePatches:
    """The patches of one image: those in the window of the grid that shows the image, row by row."""

    values_QD: Floats
    window: Window
    grid: tuple[int, int]

    @classmethod
    def seen(cls, grid_hwD: Floats, window: Window) -> "ImagePatches":
        """What a window shows of a whole grid of patches."""
        part = grid_hwD[window]
        return cls(part.reshape(-1, part.shape[2]), window, grid_hwD.shape[:2])


Features: TypeAlias = Mapping[str, ImagePatches]
"""What the graph answers for one image, by the names of its outputs."""


def seen_patches(grids: Mapping[str, Floats], placement: Placement, transform: Transform) -> Features:
    """Of each of the graph's grids (h, w, d), the patches whose centre lies on the image."""
    return {
        name: ImagePatches.seen(grid_hwD, placement.window(grid_hwD.shape[:2], transform.height, transform.width))
        for name, grid_hwD in grids.items()
    }
