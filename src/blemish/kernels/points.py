"""Patches with their short vectors, and the proven margins of products between them (docs/kernels.md)."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from blemish.arrays import Array, Doubles, Floats

__all__ = ["Axes", "Margins", "Points"]


LANES, PAIR = 16, 32
HALVES_STEP = 32
CHUNK = 64
UNIT = 2.0**-24
TINY = 2.0**-100


@dataclass(frozen=True)
class Points:
    """Patches with their short vectors; N of them.

    `full` (N, d), `shorts` (N, w) in float32 or the upper halves of it (bfloat16, as uint16), `sketches` (N, s) or
    (N, 0), `slips` (N) how far rounding may have moved a short vector or sketch, `norms` (N) squared norms of the
    shorts. Rows to be searched also have `panels`, the shorts 16 by 16 with the coordinate (of halves: two coordinates)
    before the row, and `half`, half their squared norms.
    """

    full: Floats
    shorts: Array
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
        together = 1 if self.shorts.dtype == np.float32 else 2
        return replace(self, panels=in_panels(self.shorts, padded, together), half=half)

    @classmethod
    def joined(cls, parts: "list[Points]", full_ND: Floats) -> "Points":
        """One set of points from several, over `full_ND`, which holds the patches of all of them."""
        arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in LASTING}
        return Points(full_ND, panels=NO_VALUES, half=NO_VALUES, **arrays)


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
    halves: bool
    """Whether short vectors are in bfloat16."""
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
    h: int
    """Whether shorts are halves."""
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


LASTING = ("shorts", "sketches", "slips", "norms")
NO_VALUES: Floats = np.empty(0, np.float32)


def in_panels(rows_NW: Array, padded: int, together: int = 1) -> Array:
    """Rows in panels of 16, (padded / 16, w / together, 16 * together)."""
    rows, width = rows_NW.shape
    whole = np.zeros((padded, width), rows_NW.dtype)
    whole[:rows] = rows_NW
    panels = whole.reshape(-1, LANES, width // together, together).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(panels).reshape(len(panels), -1, LANES * together)
