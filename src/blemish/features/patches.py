"""The patches of one image, and which of them show it."""

from dataclasses import dataclass

from blemish.arrays import Floats

__all__ = ["ImagePatches", "Window"]

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
