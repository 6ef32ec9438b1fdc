"""What the operators behind a network are told of its grids, and what they answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from blemish.export.operators import Operators

__all__ = ["Grids", "Tail"]


@dataclass(frozen=True)
class Grids:
    """The grids (h x w x d) that the network answers, by name; and the inputs that say which of their cells count.

    Such an input (h x w, int32) holds for each cell the number of the cell whose score it shows: its own where it
    counts, else the nearest one that does. Grids of one height and width share it.
    """

    shapes: Mapping[str, tuple[int, int, int]]
    inputs: dict[tuple[int, int], str] = field(default_factory=dict)
    """The inputs that were asked for, by height and width of their grid."""

    def cells(self, grid: tuple[int, int]) -> str:
        """The input for a grid of this height and width."""
        return self.inputs.setdefault(grid, f"cells{len(self.inputs) or ''}")

    def seen(self, ops: Operators, grid: tuple[int, int]) -> str:
        """Which cells (Q) count: those that show their own score."""
        own = ops("Range", np.int32(0), np.int32(grid[0] * grid[1]), np.int32(1))
        return ops("Equal", ops.reshaped(self.cells(grid), [-1]), own)


@dataclass(frozen=True)
class Tail:
    """The names of what is answered for one image; None for what a method does not have."""

    score: str
    """(1,)"""
    map: str | None = None
    """(H, W)"""
    nearest: str | None = None
    """(h, w), int64: the row of the memory nearest to each cell of the first grid."""
    distance: str | None = None
    """(h, w): how far that is."""

    def outputs(self) -> dict[str, str]:
        """Those that there are, by the names under which they are exported."""
        named = {"score": self.score, "map": self.map, "nearest": self.nearest, "distance": self.distance}
        return {name: tensor for name, tensor in named.items() if tensor is not None}
