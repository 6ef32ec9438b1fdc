"""Exact nearest rows of a memory bank: bounds rule out, the fixed-order routine decides."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from blemish.arrays import Array, Floats, Ints
from blemish.errors import OptionError
from blemish.search.bound import Bound
from blemish.search.kernels import Kernels, best_kernels, worker_count

__all__ = ["ExactSearch"]

# Axes of the product bound below and from MEDIUM on; a second bound of SKETCH axes from LONG on (docs/kernels.md).
FEW, MANY, MEDIUM, LONG, SKETCH = 64, 128, 256, 768, 256


class ExactSearch:
    """The k nearest rows of a bank for each query, equal to float64 brute force.

    The bank (K, d) is float32, or float16 at half the size; rows of float16 are taken as the numbers
    they are. Rows are ordered by squared distance in float64, ties by the lowest row number; the answer
    depends neither on threads nor on which queries come together. Raises OptionError for a bank or
    queries that are not finite rows.
    """

    def __init__(self, bank_KD: Array, *, threads: int | None = None, kernels: Kernels | None = None) -> None:
        if bank_KD.ndim != 2 or 0 in bank_KD.shape:
            raise OptionError(f"the bank must be rows of patches (K x d), both at least 1; it came as {bank_KD.shape}")
        if not np.isfinite(bank_KD).all():
            raise OptionError("the bank holds NaN or infinity; fit again from finite patches")
        self._kernels = kernels or best_kernels()
        self._workers = worker_count(self._kernels, threads)
        self.bank_KD: Floats = np.ascontiguousarray(bank_KD, np.float32)
        dimension = self.bank_KD.shape[1]
        axes, sketch = MANY if dimension >= MEDIUM else FEW, SKETCH if dimension >= LONG else 0
        self._bound = Bound(self.bank_KD, kernels=self._kernels, axes=axes, sketch=sketch)
        self._rows = self._bound.view(self.bank_KD).packed()
        self._margins = self._bound.margins(self._rows)

    def query(self, queries_QD: Floats, k: int = 1, *, threads: int | None = None) -> tuple[Floats, Ints]:
        """Euclidean distances (Q, k), ascending, and the numbers (Q, k) of the rows they belong to.

        `threads` share the queries, by default those of the constructor; with 1 the caller's own does it all.
        """
        rows, dimension = self._rows.full.shape
        if queries_QD.ndim != 2 or queries_QD.shape[1] != dimension:
            raise OptionError(f"the queries must be patches of {dimension} numbers; they came as {queries_QD.shape}")
        if not np.isfinite(queries_QD).all():
            raise OptionError("the queries hold NaN or infinity; leave out the image they come from")
        if not 1 <= k <= rows:
            raise OptionError(f"k = {k} nearest rows were asked of a bank of {rows}; ask for 1 to {rows}")
        queries_QD = np.ascontiguousarray(queries_QD, np.float32)
        squared_QK = np.full((len(queries_QD), k), np.inf)
        numbers_QK = np.zeros((len(queries_QD), k), np.int64)

        def work(part: slice) -> None:
            if part.start < part.stop:
                queries = self._bound.view(queries_QD[part])
                at_Q = np.arange(part.stop - part.start)
                met_Q = np.zeros_like(at_Q)
                self._kernels.nearest(
                    self._margins, queries, at_Q, self._rows, met_Q, squared_QK[part], numbers_QK[part]
                )

        workers = self._workers if threads is None else worker_count(self._kernels, threads)
        edges = np.linspace(0, len(queries_QD), workers + 1).astype(int)
        parts = [slice(*edge) for edge in pairwise(edges)]
        if workers == 1:
            work(parts[0])
        else:
            with ThreadPoolExecutor(workers, thread_name_prefix="blemish-search") as pool:
                list(pool.map(work, parts))
        return np.sqrt(squared_QK).astype(np.float32), numbers_QK
