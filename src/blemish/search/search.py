"""What a search is to the rest, and which one a model asks for."""

from typing import Literal, Protocol

from blemish.arrays import Array, Floats, Ints
from blemish.search.exact import ExactSearch

__all__ = ["Search", "make_search"]


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
