"""From one image to its patches: read, size, network, and which patches show the image."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from blemish.arrays import Array, Bools, Floats
from blemish.errors import ImageError
from blemish.features.extract import AnyExtractor
from blemish.images.read import Channels, Source, image_name, keep, read_image
from blemish.images.transform import Transform
from blemish.images.view import View, Viewer

__all__ = ["Clock", "Features", "ImagePatches", "Look", "look", "seen_patches"]


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


class Clock:
    """Seconds per step of one image."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        """Say that a step has ended."""
        now = time.perf_counter()
        self.seconds[step] = now - self._last
        self._last = now


class Look(NamedTuple):
    """One image as it came and as the network saw it, how it was looked at, and what the graph answered."""

    kept: Source
    """Gives the pixels that were looked at, whatever becomes of the file or the caller's array."""
    sized: Array
    view: View
    features: Features


def look(
    image: Source, viewer: Viewer, extractor: AnyExtractor, *, channels: Channels = "RGB", clock: Clock | None = None
) -> Look:
    """All that a method is told of one image.

    Raises ImageError where the image cannot be used, or the network has no finite answer.
    """
    clock, name = clock or Clock(), image_name(image)
    kept = keep(image, channels=channels, rules=viewer.rules)
    sized, view = viewer(read_image(kept, rules=viewer.rules), name)
    clock.lap("read")
    grids = extractor(sized)
    if not all(np.isfinite(grid_hwD).all() for grid_hwD in grids.values()):
        raise ImageError(f"{name} makes the network answer NaN or infinity; leave it out.")
    clock.lap("network")
    return Look(kept, sized, view, seen_patches(grids, view, viewer.transform))
