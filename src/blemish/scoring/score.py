"""From the distances of an image's patches to one number, along the edges of a large image with care.

A network pads its input with zeros, so what it says of patches at the edge is of a kind of its own. In a large image
they are few beside all others, the memory knows them less well, and most good images would score highest there, where
a small defect elsewhere could not outdo them. Scores along the edges are therefore divided by as much as good patches
lie farther from a memory without their image; they are never raised.
"""

from typing import Protocol

import numpy as np

from blemish.arrays import Bools, Floats, Ints

__all__ = [
    "RINGS",
    "Neighbours",
    "edge_scale",
    "maximum",
    "no_edges",
    "reweighted_maximum",
    "ring_of_cells",
    "row_scale",
    "some_cells",
    "top_mean",
]

RINGS = 8
"""Cells along the edge that differ from the middle by more than a hundredth."""
QUANTILE = 0.99
"""Of distances: maps peak where distances are largest; beyond it, few patches remain to tell rings apart."""
EVERY = 8
"""Of the middle, every eighth patch is enough to compare with."""
PRIOR = 20
"""A row is believed to be like all others until more good patches than this have come nearest to it."""
LEAST = 0.5
"""Where good parts hardly differ at all, no score is raised to more than twice what it is."""


class Neighbours(Protocol):
    """What re-weighting asks of a search."""

    bank_KD: Floats

    def query(self, queries_QD: Floats, k: int = 1) -> tuple[Floats, Ints]: ...


def maximum(distances_Q: Floats) -> float:
    """The largest patch distance s* (PatchCore, equation 6)."""
    return float(distances_Q.max())


def top_mean(distances_Q: Floats, share: float) -> float:
    """The mean of the largest `share` of the patch distances, at least of one."""
    count = max(1, round(share * len(distances_Q)))
    return float(np.partition(distances_Q, -count)[-count:].mean(dtype=np.float64))


def reweighted_maximum(
    distances_Q: Floats, nearest_Q: Ints, patches_QD: Floats, search: Neighbours, neighbours: int
) -> float:
    """The maximum, weighed down where the bank is sparse around its nearest row (PatchCore, equation 7).

    s = (1 - exp ||m - m*|| / sum over n in N_b(m*) of exp ||m - n||) s*, with m the farthest patch, m* its
    nearest row and N_b(m*) the b rows nearest to m*, itself among them. A bank of one row weighs nothing.
    """
    if len(search.bank_KD) == 1:
        return maximum(distances_Q)  # the formula would call every image 0, and so good
    farthest = int(distances_Q.argmax())
    row = search.bank_KD[nearest_Q[farthest]]
    _, around = search.query(row[None], min(neighbours, len(search.bank_KD)))
    to_rows = np.linalg.norm(search.bank_KD[around[0]].astype(np.float64) - patches_QD[farthest], axis=1)
    distance = float(distances_Q[farthest])
    # Shifting both exponents by the largest distance changes no ratio and cannot overflow.
    shift = to_rows.max()
    weight = 1 - np.exp(distance - shift) / np.exp(to_rows - shift).sum()
    return float(weight * distance)


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


def row_scale(scores_Q: Floats, row_Q: Ints, around_Kn: Ints) -> Floats:
    """What the scores of patches nearest to each row of a bank are divided by, from good patches it has not seen.

    Where good parts vary, they lie far from the memory, and a defect there must lie farther still. The scale is the
    square root of how far good patches usually lie from a row and the rows around it, over the mean: with the whole of
    it, defects that lie where parts vary would no longer be seen.

    Args:
        scores_Q: Distances of good patches to their nearest rows.
        row_Q: Those rows, by number.
        around_Kn: The n rows nearest to each row, itself among them.
    """
    counts_K = np.bincount(row_Q, minlength=len(around_Kn))
    sums_K = np.bincount(row_Q, scores_Q, minlength=len(around_Kn))
    mean = float(scores_Q.mean(dtype=np.float64))
    if mean == 0:
        return np.ones(len(around_Kn), np.float32)
    usual_K = (sums_K[around_Kn].sum(axis=1) + PRIOR * mean) / (counts_K[around_Kn].sum(axis=1) + PRIOR)
    return np.asarray(np.maximum(np.sqrt(usual_K / mean), LEAST), np.float32)


def _far(distances_Q: Floats) -> float:
    return float(np.quantile(distances_Q, QUANTILE)) if len(distances_Q) else 0.0
