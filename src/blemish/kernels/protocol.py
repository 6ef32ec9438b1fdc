"""What coreset, search and Gaussians are computed with: five functions, defined once for C and NumPy."""

from typing import Protocol

from blemish.arrays import Array, Doubles, Floats, Ints
from blemish.kernels.gaussians import Gaussians
from blemish.kernels.points import Axes, Kind, Margins, Points

__all__ = ["Kernels"]


class Kernels(Protocol):
    """What the rooms `memory`, `search` and `methods` compute with."""

    name: str
    described: str
    """Name and instructions, for people."""
    kind: Kind
    """The short vectors with which `nearest` is fastest."""

    def workers(self, threads: int | None) -> int:
        """How many may call it at once: `threads`, or one for each core this process may use."""

    def exact_pairs(self, left_ND: Floats, right_ND: Floats) -> Doubles:
        """Squared distance of each row to the same row on the right, or to its only row; shape (N,)."""

    def view(self, axes: Axes, patches_ND: Floats) -> tuple[Array, Floats, Floats, Doubles, Doubles]:
        """Short vectors, their units, sketches, slips and squared norms of the shorts, as in Points."""

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

    def gaussians(self, good_PND: Floats, fold_of_N: Ints | None) -> Gaussians:
        """The Gaussians of n good patches at each place; with folds of the images, also how long the patches are.

        Each fold leaves other images over. C and NumPy agree to within rounding of float64, not to the bit.
        """
