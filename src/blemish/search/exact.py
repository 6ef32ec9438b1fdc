"""Exact nearest rows of a memory bank: bounds rule out, the fixed-order routine decides."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from blemish.arrays import Array, Doubles, Floats, Ints
from blemish.errors import OptionError
from blemish.kernels.best import best_kernels
from blemish.kernels.bound import Bound
from blemish.kernels.points import Kind
from blemish.kernels.protocol import Kernels

__all__ = ["ExactSearch", "bound_axes"]

STEP = 4
"""Every fourth query is searched first, for the others to start from its rows."""
MANY = 4096
"""The number of rows from which that saves time."""
WORTHWHILE = 64
"""Fewer queries than this are not worth another thread."""
MEDIUM, LONG = 256, 768
"""Dimensions from which the bound takes more axes."""


def bound_axes(dimension: int, kind: Kind) -> tuple[int, int]:
    """Axes of the product bound, and of a second, sharper bound or 0, chosen by measurement (docs/kernels.md).

    Products of bfloat16 are so cheap that many axes leave nothing for a second bound to do.
    """
    if kind is Kind.INT16:
        return (79 if dimension < MEDIUM else 95 if dimension < LONG else 127), (256 if dimension >= LONG else 0)
    if kind is Kind.BFLOAT16:
        return (127 if dimension < MEDIUM else 159 if dimension < LONG else 255), 0
    return (64 if dimension < MEDIUM else 128), (256 if dimension >= LONG else 0)


class ExactSearch:
    """The k nearest rows of a bank for each query, equal to float64 brute force.

    The bank (K, d) is float32, or float16 at half the size; rows of float16 are taken as the numbers
    they are. Rows are ordered by squared distance in float64, ties by the lowest row number; the answer
    depends neither on threads nor on which queries come together. Raises OptionError for a bank or
    queries that are not finite rows.
    """

    def __init__(self, bank_KD: Array, *, threads: int | None = None, kernels: Kernels | None = None) -> None:
        self._kernels = kernels or best_kernels()
        self._workers = self._kernels.workers(threads)
        self.bank_KD: Floats = _checked(bank_KD)
        dimension = self.bank_KD.shape[1]
        axes, sketch = bound_axes(dimension, kind := self._kernels.kind)
        self._bound = Bound(self.bank_KD, kernels=self._kernels, axes=axes, sketch=sketch, kind=kind)
        self._rows = self._bound.view(self.bank_KD).packed()
        self._margins = self._bound.margins(self._rows)

    def over(self, bank_KD: Array) -> "ExactSearch":
        """A search over other rows, as exact; it rules out along the same axes, so that it is made at once."""
        search = object.__new__(ExactSearch)
        vars(search).update(vars(self))  # not by copy(), which would first make the whole search again (__reduce__)
        search.bank_KD = _checked(bank_KD)
        search._rows = search._bound.view(search.bank_KD).packed()
        search._margins = search._bound.margins(search._rows)
        return search

    def query(self, queries_QD: Floats, k: int = 1, *, threads: int | None = None) -> tuple[Floats, Ints]:
        """Euclidean distances (Q, k), ascending, and the numbers (Q, k) of the rows they belong to.

        `threads` share the queries, by default those of the constructor; with 1 the caller's own does it all.
        """
        rows, dimension = self._rows.full.shape
        if queries_QD.ndim != 2 or queries_QD.shape[1] != dimension:
            raise OptionError(f"the queries must be patches of {dimension} numbers; they came as {queries_QD.shape}")
        if not 1 <= k <= rows:
            raise OptionError(f"k = {k} nearest rows were asked of a bank of {rows}; ask for 1 to {rows}")
        queries_QD = np.ascontiguousarray(queries_QD, np.float32)
        workers = self._workers if threads is None else self._kernels.workers(threads)
        workers = min(workers, -(-len(queries_QD) // WORTHWHILE) or 1)
        edges = np.linspace(0, len(queries_QD), workers + 1).astype(int)
        parts = [queries_QD[first:last] for first, last in pairwise(edges)]
        with ThreadPoolExecutor(max(1, workers - 1), thread_name_prefix="blemish-search") as pool:
            others = pool.map(partial(self._nearest, k=k), parts[1:])  # it starts no thread that has nothing to do
            found = [self._nearest(parts[0], k), *others]
        squared_QK, numbers_QK = (np.concatenate(both) for both in zip(*found, strict=True))
        return np.sqrt(squared_QK).astype(np.float32), numbers_QK

    def __str__(self) -> str:
        return "exact search"

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to another processor, it is made anew by what that one is fastest at."""
        return ExactSearch, (self.bank_KD,)

    def _nearest(self, queries_QD: Floats, k: int) -> tuple[Doubles, Ints]:
        """Squared distances and row numbers (Q, k) of some of the queries.

        Patches that come one after the other are alike: in a large bank the rows found for every fourth bound how far
        the three between need to look.
        """
        if not np.isfinite(queries_QD).all():
            raise OptionError("the queries hold NaN or infinity; leave out the image they come from")
        queries = self._bound.view(queries_QD)
        squared_QK = np.full((len(queries_QD), k), np.inf)
        numbers_QK = np.zeros((len(queries_QD), k), np.int64)

        def search(at_Q: Ints, hints_QK: Ints | None) -> None:
            squared, numbers = squared_QK[at_Q], numbers_QK[at_Q]
            met_Q = np.zeros(len(at_Q), np.int64)
            self._kernels.nearest(self._margins, queries, at_Q, self._rows, met_Q, hints_QK, squared, numbers)
            squared_QK[at_Q], numbers_QK[at_Q] = squared, numbers

        every_Q = np.arange(len(queries_QD))
        step = STEP if len(self.bank_KD) >= MANY else 1
        leading_Q = every_Q % step == 0
        search(every_Q[leading_Q], None)
        if leading_Q.all():
            return squared_QK, numbers_QK
        others_Q = every_Q[~leading_Q]
        nearest_Q = np.minimum((others_Q + step // 2) // step, (len(every_Q) - 1) // step) * step
        search(others_Q, numbers_QK[nearest_Q])
        return squared_QK, numbers_QK


def _checked(bank_KD: Array) -> Floats:
    if bank_KD.ndim != 2 or 0 in bank_KD.shape:
        raise OptionError(f"the bank must be rows of patches (K x d), both at least 1; it came as {bank_KD.shape}")
    if not np.isfinite(bank_KD).all():
        raise OptionError("the bank holds NaN or infinity; fit again from finite patches")
    return np.ascontiguousarray(bank_KD, np.float32)
