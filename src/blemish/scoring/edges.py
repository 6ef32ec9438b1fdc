"""Patches along the edges of a large image: how much farther from the memory good ones lie there.

A network pads its input with zeros, so what it says of patches at the edge is of a kind of its own. In a large image
they are few beside all others, the memory knows them less well, and most good images would score highest there, where
a small defect elsewhere could not outdo them. Scores along the edges are therefore divided by as much as good patches
lie farther from a memory without their image; they are never raised.
"""

import numpy as np

from blemish.arrays import Bools, Floats, Ints

__all__ = ["RINGS", "edge_scale", "no_edges", "ring_of_cells", "some_cells"]

RINGS = 8
"""Cells along the edge that differ from the middle by more than a hundredth."""
QUANTILE = 0.99
"""Of distances: maps peak where distances are largest; beyond it, few patches remain to tell rings apart."""
EVERY = 8
"""Of the middle, every eighth patch is enough to compare with."""


def no_edges() -> Floats:
    """The scale of an image whose edges are like its middle."""
    return np.ones(RINGS + 1, np.float32)


def ring_of_cells(grid: tuple[int, int]) -> Ints:
    """How many cells lie between each cell (h x w) and the nearest edge; RINGS for all of the middle."""
    rows_h, columns_w = (np.minimum(np.arange(cells), np.arange(cells)[::-1]) for cells in grid)
    return np.asarray(np.minimum(np.minimum.outer(rows_h, columns_w), RINGS), np.int64)


def some_cells(grid: tuple[int, int]) -> Bools:
    """The cells (h x w) to measure: all along the edges, and some of the middle."""
    some_hw = ring_of_cells(grid) < RINGS
    some_hw.reshape(-1)[::EVERY] = True
    return some_hw


def edge_scale(distances_Q: Floats, ring_Q: Ints) -> Floats:
    """How much farther good patches of each ring lie than those of the middle: RINGS + 1 numbers from 1 on."""
    scale_R = no_edges()
    middle = _far(distances_Q[ring_Q == RINGS])
    for ring in range(RINGS if middle > 0 else 0):
        scale_R[ring] = max(1.0, _far(distances_Q[ring_Q == ring]) / middle)
    return scale_R


def _far(distances_Q: Floats) -> float:
    return float(np.quantile(distances_Q, QUANTILE)) if len(distances_Q) else 0.0
