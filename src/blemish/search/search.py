"""What a search is to the rest, which one a model asks for, and that of tiles with banks of their own."""

from typing import Literal, Protocol

import numpy as np

from blemish.arrays import Array, Floats, Ints
from blemish.errors import ImageError
from blemish.search.exact import ExactSearch

__all__ = ["PerTileSearch", "Search", "make_search"]


class Search(Protocol):
    """Nearest rows of a bank (K, d). Its `str` says how they are found."""

    bank_KD: Floats

    def over(self, bank_KD: Array) -> "Search":
        """The same search over other rows."""

    def query(self, queries_QD: Floats, k: int = 1, *, threads: int | None = None) -> tuple[Floats, Ints]:
        """Euclidean distances (Q, k), ascending, and the numbers (Q, k) of the rows they belong to."""


def make_search(bank_KD: Array, kind: Literal["exact", "approximate"]) -> Search:
    """A search over a bank. Raises OptionError where approximate search is asked for and faiss is not installed."""
    if kind == "exact":
        return ExactSearch(bank_KD)
    # Imported only where it is asked for: faiss is an extra.
    from blemish.search.approximate import ApproximateSearch

    return ApproximateSearch(bank_KD)


class PerTileSearch:
    """The nearest row for each query among the bank rows (K, d) of the query's own tile."""

    def __init__(self, bank_KD: Floats, tile_K: Ints) -> None:
        self._rows = {int(tile): np.flatnonzero(tile_K == tile) for tile in np.unique(tile_K)}
        self._searches = {tile: ExactSearch(bank_KD[rows]) for tile, rows in self._rows.items()}

    def query(self, queries_QD: Floats, tile_Q: Ints, *, threads: int | None = None) -> tuple[Floats, Ints]:
        """Distances (Q) and the numbers (Q) of the rows they belong to. Raises ImageError for a tile without rows."""
        distances_Q, numbers_Q = np.empty(len(queries_QD), np.float32), np.empty(len(queries_QD), np.int64)
        for tile in np.unique(tile_Q):
            if int(tile) not in self._rows:
                raise ImageError("An image shows something where no good image did; bring it to their field of view.")
            own = tile_Q == tile
            distances_Q1, nearest_Q1 = self._searches[int(tile)].query(queries_QD[own], threads=threads)
            distances_Q[own], numbers_Q[own] = distances_Q1[:, 0], self._rows[int(tile)][nearest_Q1[:, 0]]
        return distances_Q, numbers_Q
