"""Grow a memory bank: the greedy rule of the coreset, going on from a bank that is already there."""

import numpy as np

from blemish.arrays import Doubles, Floats, Ints
from blemish.kernels.best import best_kernels
from blemish.kernels.bound import Bound
from blemish.kernels.protocol import Kernels
from blemish.memory.coreset import Coreset

__all__ = ["cover"]

BEHIND_ALL = -1
"""The number of a point that goes before every patch of the same distance: what is at the radius is covered."""


def cover(
    patches_ND: Floats,
    distances_N: Floats | Doubles,
    radius: float,
    *,
    bound: Bound | None = None,
    kernels: Kernels | None = None,
) -> Coreset:
    """Choose patches, farthest first, until all of them are within `radius` of a bank or of a chosen one.

    `distances_N` are those to the bank, finite. The choice is the one that the greedy coreset (memory/coreset.py) would
    make next, had these patches been there; ties go to the lowest index. The coreset's `radii` are here the distance of
    each patch when it was chosen. Nothing is chosen where all are near enough already. `bound` is one of patches like
    these, for who covers many times; the choice is the same with any.
    """
    kernels = kernels or best_kernels()
    far_F = np.flatnonzero(distances_N > radius)
    if not len(far_F):
        return Coreset(far_F, np.empty(0, np.float32))
    far_FD = np.ascontiguousarray(patches_ND[far_F], np.float32)
    bound = bound or Bound(far_FD, kernels=kernels)
    pool = bound.view(far_FD).packed()
    squared_F = np.asarray(distances_N[far_F], np.float64) ** 2
    chosen: tuple[Ints, Doubles] = kernels.greedy_pool(
        bound.margins(pool), pool, far_F, (float(radius) ** 2, BEHIND_ALL), len(far_F), squared_F
    )
    return Coreset(far_F[chosen[0]], np.sqrt(chosen[1]).astype(np.float32))
