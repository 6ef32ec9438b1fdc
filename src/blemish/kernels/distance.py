"""The one routine that measures: squared Euclidean distance in float64, summed in a fixed order.

Every distance that is returned or that decides a choice comes from here; matrix products only
rule rows out. The order is 16 running sums over the coordinates modulo 16, then halved four
times, whatever the block, thread, shard or instruction set, so equal rows give equal bits and a
row is at distance exactly 0 from itself.
"""

import numpy as np

from blemish.arrays import Doubles, Floats

__all__ = ["squared_distances"]

LANES = 16


def squared_distances(left_ND: Floats, right_ND: Floats) -> Doubles:
    """Squared distance of each row of `left_ND` to the same row of `right_ND` (or to its only row), shape (N,)."""
    difference_ND = left_ND.astype(np.float64) - right_ND
    rows, dimension = difference_ND.shape
    sums = np.zeros((rows, LANES))
    for start in range(0, dimension, LANES):
        part = difference_ND[:, start : start + LANES]
        sums[:, : part.shape[1]] += part * part
    while sums.shape[1] > 1:
        half = sums.shape[1] // 2
        sums = sums[:, :half] + sums[:, half:]
    return sums[:, 0]
