"""From the distances of an image's patches to one number."""

from typing import Protocol

import numpy as np

from blemish.arrays import Floats, Ints

__all__ = ["Neighbours", "maximum", "reweighted_maximum", "top_mean"]


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
