"""Exact nearest rows of a memory bank: products rule out, the fixed-order routine decides."""

import numpy as np

from blemish.arrays import Floats, Ints
from blemish.errors import OptionError
from blemish.search.distance import squared_distances

__all__ = ["ExactSearch"]

QUERIES = 256


class ExactSearch:
    """The k nearest rows of a bank for each query, equal to float64 brute force.

    Rows are ordered by squared distance in float64, ties by the lowest row number; distances are
    Euclidean. The answer depends neither on threads nor on blocks.
    """

    def __init__(self, bank_KD: Floats, *, threads: int | None = None) -> None:
        if bank_KD.ndim != 2 or 0 in bank_KD.shape:
            raise OptionError(f"the bank must be rows of patches (K x d), both at least 1; it came as {bank_KD.shape}")
        if not np.isfinite(bank_KD).all():
            raise OptionError("the bank holds NaN or infinity; fit again from finite patches")
        self.bank_KD = np.ascontiguousarray(bank_KD, np.float32)
        self.threads = threads
        self._norms_K = np.einsum("kd,kd->k", self.bank_KD, self.bank_KD, dtype=np.float64)

    def query(self, queries_QD: Floats, k: int = 1) -> tuple[Floats, Ints]:
        """Distances (Q, k), ascending, and the numbers (Q, k) of the rows they belong to."""
        rows, dimension = self.bank_KD.shape
        if queries_QD.ndim != 2 or queries_QD.shape[1] != dimension:
            raise OptionError(f"the queries must be patches of {dimension} numbers; they came as {queries_QD.shape}")
        if not np.isfinite(queries_QD).all():
            raise OptionError("the queries hold NaN or infinity; leave out the image they come from")
        if not 1 <= k <= rows:
            raise OptionError(f"k = {k} nearest rows were asked of a bank of {rows}; ask for 1 to {rows}")
        distances = np.empty((len(queries_QD), k), np.float32)
        numbers = np.empty((len(queries_QD), k), np.int64)
        for start in range(0, len(queries_QD), QUERIES):
            part = slice(start, start + QUERIES)
            distances[part], numbers[part] = self._query_block(np.ascontiguousarray(queries_QD[part], np.float32), k)
        return distances, numbers

    def _query_block(self, queries_QD: Floats, k: int) -> tuple[Floats, Ints]:
        queries = queries_QD.astype(np.float64)
        norms_Q = np.einsum("qd,qd->q", queries, queries)
        bounds_QK = norms_Q[:, None] + self._norms_K - 2 * (queries @ self.bank_KD.T.astype(np.float64))
        margin = 4 * (queries.shape[1] + 4) * 2.0**-53 * (norms_Q.max() + self._norms_K.max())
        kth_Q = np.partition(bounds_QK, k - 1, axis=1)[:, k - 1] + 2 * margin
        where_q, where_k = np.nonzero(bounds_QK <= kth_Q[:, None])
        exact = squared_distances(queries_QD[where_q], self.bank_KD[where_k])
        order = np.lexsort((where_k, exact, where_q))
        first = np.searchsorted(where_q[order], np.arange(len(queries_QD)))
        chosen = order[first[:, None] + np.arange(k)]
        return np.sqrt(exact[chosen]).astype(np.float32), where_k[chosen].astype(np.int64)
