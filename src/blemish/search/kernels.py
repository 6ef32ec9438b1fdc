"""The four kernels under coreset and search, in C where the extension is installed, else in NumPy.

Both give the same bits: bounds only rule out, and what measures has one fixed order.
"""

import importlib
from typing import Protocol

from blemish.arrays import Array, Doubles, Floats, Ints
from blemish.search.bound import Axes, Margins, Points
from blemish.search.pure import Pure
from blemish.stream import available_threads

__all__ = ["Kernels", "best_kernels", "worker_count"]


class Kernels(Protocol):
    """What the rooms `memory` and `search` compute with."""

    name: str
    threaded: bool
    """Whether to call it from several workers at once (else it uses the threads of its BLAS)."""
    halves: bool
    """Whether `nearest` takes, and is faster with, short vectors in bfloat16."""

    def exact_pairs(self, left_ND: Floats, right_ND: Floats) -> Doubles:
        """Squared distance of each row to the same row on the right, or to its only row; shape (N,)."""

    def view(self, axes: Axes, patches_ND: Floats) -> tuple[Array, Floats, Doubles, Doubles]:
        """Short vectors, sketches, slips and squared norms of the shorts, as in Points."""

    def nearest(
        self,
        margins: Margins,
        queries: Points,
        at_Q: Ints,
        rows: Points,
        met_Q: Ints,
        hints_QK: Ints | None,
        best_QK: Doubles,
        numbers_QK: Ints,
    ) -> None:
        """Improve the k best squared distances and row numbers of the queries `at_Q`.

        Rows before `met_Q` are known to each query already. `hints_QK` are k different rows for each query, likely
        near ones: rows farther than the farthest of them do not matter. Both results are changed in place.
        """

    def greedy_pool(
        self, margins: Margins, pool: Points, numbers: Ints, outside: tuple[float, int], wanted: int, values: Doubles
    ) -> tuple[Ints, Doubles]:
        """Greedy choices inside a pool: positions, and the squared distance of each when chosen.

        `values` are squared distances to the rows chosen before, -1 for those themselves, and are changed in place. It
        stops after `wanted`, or when the point `outside` (value, number) may come first.
        """


def best_kernels() -> Kernels:
    """The compiled kernels where they are installed, else those in NumPy."""
    try:
        module = importlib.import_module("blemish._kernels")
    except ImportError:
        return Pure()
    from blemish.search.compiled import Compiled

    return Compiled(module)


def worker_count(kernels: Kernels, threads: int | None) -> int:
    """How many workers to use: `threads`, or one for each core this process may use."""
    if not kernels.threaded:
        return 1
    return available_threads() if threads is None else max(1, threads)
