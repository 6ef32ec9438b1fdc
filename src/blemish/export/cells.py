"""Which cell's score each cell of a grid shows: its own where it counts, else that of the nearest one that does."""

import numpy as np

from blemish.arrays import Array, Bools
from blemish.scoring.heatmap import on_grid

__all__ = ["sources_of"]


def sources_of(seen_hw: Bools) -> Array:
    """The number (row * w + column) of the cell that each cell (h x w, int32) shows, as the product lays scores out."""
    # float32 holds whole numbers up to 2^24, and no grid has as many cells.
    return np.asarray(on_grid(np.flatnonzero(seen_hw).astype(np.float32), seen_hw), np.int32)
