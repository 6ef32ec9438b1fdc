"""Look at one image: read, size, network, and of what that answers the patches that count."""

import time
from typing import NamedTuple

import numpy as np

from blemish.arrays import Array
from blemish.errors import ImageError
from blemish.features.extract import AnyExtractor
from blemish.features.patches import Features, seen_patches
from blemish.images.read import Channels, Source, image_name, read_image
from blemish.images.view import View, Viewer

__all__ = ["Clock", "Look", "look"]


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
    """One image as the network saw it, how it was looked at, and what the graph answered."""

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
    sized, view = viewer(read_image(image, channels=channels), name)
    clock.lap("read")
    grids = extractor(sized)
    if not all(np.isfinite(grid_hwD).all() for grid_hwD in grids.values()):
        raise ImageError(f"{name} makes the network answer NaN or infinity; it cannot be scored.")
    clock.lap("network")
    return Look(sized, view, seen_patches(grids, view, viewer.transform))
