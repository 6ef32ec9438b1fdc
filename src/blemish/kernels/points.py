"""Patches with their short vectors, and the proven margins of products between them (docs/kernels.md)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Self

import numpy as np

from blemish.arrays import Array, Doubles, Floats

__all__ = ["Axes", "Kind", "Margins", "Points"]

LANES, PAIR = 16, 32
CHUNK = 64
UNIT = 2.0**-24
TINY = 2.0**-100


class Kind(IntEnum):
    """What short vectors are made of, by its number in the extension."""

    FLOAT32 = 0
    BFLOAT16 = 1
    INT16 = 2
    """Whole numbers, of a unit for each vector."""

    @property
    def step(self) -> int:
        """Short vectors are a multiple of it long, as the products want."""
        return (1, 32, 2)[self]

    @property
    def dtype(self) -> np.dtype[np.float32 | np.uint16 | np.int16]:
        """What holds one number; of bfloat16, the upper half of a float32."""
        return np.dtype((np.float32, np.uint16, np.int16)[self])


@dataclass(frozen=True)
class Points:
    """Patches with their short vectors; N of them.

    `full` (N, d), `shorts` (N, w) in float32, the upper halves of it (bfloat16, as uint16) or whole numbers (int16),
    `units` (N) what those count, or none, `sketches` (N, s) or (N, 0), `slips` (N) how far rounding may have moved a
    short vector or sketch, `norms` (N) squared norms of the shorts. Rows to be searched also have `panels`, the shorts
    16 by 16 with the coordinate (of 16 bits: two coordinates) before the row, and `half`, half their squared norms.
    """

    full: Floats
    shorts: Array
    units: Floats
    sketches: Floats
    slips: Doubles
    norms: Doubles
    panels: Array
    half: Floats

    def packed(self) -> Self:
        """The same with panels, padded to a whole number of pairs by rows infinitely far away."""
        padded = -(-len(self.full) // PAIR) * PAIR
        half = np.full(padded, np.inf, np.float32)
        half[: len(self.norms)] = self.norms / 2
        units = np.zeros(padded if len(self.units) else 0, np.float32)
        units[: len(self.units)] = self.units
        together = 1 if self.shorts.dtype == np.float32 else 2
        return replace(self, panels=in_panels(self.shorts, padded, together), half=half, units=units)

    @classmethod
    def joined(cls, parts: "Iterable[Points]", full_ND: Floats) -> "Points":
        """One set of points from several, over `full_ND`, which holds the patches of all of them.

        Each part is copied as it comes, so that all of them never need be there a second time.
        """
        room: dict[str, Array] = {}
        start = 0
        for part in parts:
            stop = start + len(part.norms)
            for name in LASTING:
                values = getattr(part, name)
                if name not in room:
                    room[name] = np.empty((len(full_ND) if len(values) else 0, *values.shape[1:]), values.dtype)
                room[name][start:stop] = values
            start = stop
        return Points(full_ND, panels=NO_VALUES, half=NO_VALUES, **room)


@dataclass(frozen=True)
class Axes:
    """Axes V, and what makes short vectors of patches along them."""

    mean_D: Doubles
    scale: float
    """y = (patch - mean) * scale; a power of two."""
    panels: Floats
    """The axes, padded with zeros to a multiple of PAIR, in panels as those of Points."""
    axes: int
    """The number of axes that give coordinates of short vectors."""
    width: int
    """The length of a short vector: its coordinates, the norm of the rest, and padding."""
    kind: Kind
    sketch_axes: int
    sketch: int
    """The same of sketches; 0 where there are none."""
    eta: float
    """V'V has no eigenvalue above 1 + eta."""
    step: float
    """The rounding of one projection, relative to |y|."""


@dataclass(frozen=True)
class Margins:
    """What separates a computed bound from the distance it bounds, for one set of rows."""

    d: int
    w: int
    s: int
    kind: Kind
    """What the shorts are made of."""
    scale: float
    """From distances of patches to the largest distance of their short vectors, without the slips."""
    slip: float
    """The largest slip of a row."""
    norm: float
    """The largest norm of a row's short vector."""
    rounding: float
    """Of a product bound, times |row|^2 / 2 + |query| |row|."""
    sharpness: float
    """Relative error of a float32 sum of squared differences."""


LASTING = ("shorts", "units", "sketches", "slips", "norms")
NO_VALUES: Floats = np.empty(0, np.float32)


def in_panels(rows_NW: Array, padded: int, together: int = 1) -> Array:
    """Rows in panels of 16, (padded / 16, w / together, 16 * together)."""
    rows, width = rows_NW.shape
    whole = np.zeros((padded, width), rows_NW.dtype)
    whole[:rows] = rows_NW
    panels = whole.reshape(-1, LANES, width // together, together).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(panels).reshape(len(panels), -1, LANES * together)
