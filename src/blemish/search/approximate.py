"""Approximate nearest rows on huge banks, by faiss (extra `faiss`); how approximate, it can say."""

from functools import cached_property, partial
from typing import Any

import numpy as np

from blemish.arrays import Array, Floats, Ints
from blemish.errors import OptionError
from blemish.kernels.best import best_kernels
from blemish.language.numbers import percent
from blemish.search.exact import ExactSearch
from blemish.system.stream import available_threads

__all__ = ["ApproximateSearch"]

JUDGED = 512
"""The number of rows of the bank that judge the recall."""


class ApproximateSearch:
    """An inverted file: the bank in cells, of which a query looks into `probes`.

    A distance returned is the true one to the row returned; that row may not be the nearest, so scores are never too
    low. Finding no k rows in the cells looked at, it looks into all. Raises OptionError where faiss is not installed.
    """

    def __init__(self, bank_KD: Floats, *, probes: int = 16) -> None:
        try:
            import faiss
        except ImportError:
            raise OptionError(
                "approximate search needs faiss, which is not installed: pip install 'blemish[faiss]'"
            ) from None
        self._faiss: Any = faiss
        self._asked = probes
        self._kernels = best_kernels()
        self.bank_KD: Floats = np.ascontiguousarray(bank_KD, np.float32)
        rows, dimension = self.bank_KD.shape
        cells = max(1, min(round(4 * rows**0.5), rows // 39))
        self._coarse = faiss.IndexFlatL2(dimension)
        self._index = faiss.IndexIVFFlat(self._coarse, dimension, cells)
        self._index.train(self.bank_KD)
        self._index.add(self.bank_KD)
        self._probes, self._cells = min(probes, cells), cells

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(ApproximateSearch, probes=self._asked), (self.bank_KD,)

    def over(self, bank_KD: Array) -> "ApproximateSearch":
        """A search over other rows, made anew."""
        return ApproximateSearch(np.asarray(bank_KD, np.float32), probes=self._asked)

    def query(self, queries_QD: Floats, k: int = 1, *, threads: int | None = None) -> tuple[Floats, Ints]:
        """Euclidean distances (Q, k), ascending, and the numbers (Q, k) of the rows they belong to."""
        queries_QD = np.ascontiguousarray(queries_QD, np.float32)
        if not 1 <= k <= len(self.bank_KD):
            raise OptionError(f"k = {k} nearest rows were asked of a bank of {len(self.bank_KD)}")
        found_QK = self._find(queries_QD, k, self._probes, threads)
        if (found_QK < 0).any():
            found_QK = self._find(queries_QD, k, self._cells, threads)
        repeated_ND = np.repeat(queries_QD, k, axis=0)
        squared_QK = self._kernels.exact_pairs(repeated_ND, self.bank_KD[found_QK.ravel()]).reshape(-1, k)
        order_QK = np.lexsort((found_QK, squared_QK), axis=1)
        distances_QK = np.sqrt(np.take_along_axis(squared_QK, order_QK, axis=1)).astype(np.float32)
        return distances_QK, np.take_along_axis(found_QK, order_QK, axis=1)

    def recall(self, queries_QD: Floats, k: int = 1) -> float:
        """The share of the true k nearest rows of these queries that it finds."""
        exact_QK = ExactSearch(self.bank_KD).query(queries_QD, k)[1]
        found_QK = self.query(queries_QD, k)[1]
        return float((exact_QK[:, :, None] == found_QK[:, None, :]).any(axis=2).mean())

    def __str__(self) -> str:
        return f"approximate search finds {percent(self._own_recall)} of the rows nearest to others of the bank"

    @cached_property
    def _own_recall(self) -> float:
        """Recall of the nearest other row, for rows evenly spread over the bank.

        A hard case: rows of a coreset lie as far from each other as it can have them.
        """
        judged_QD = self.bank_KD[:: max(1, len(self.bank_KD) // JUDGED)]
        if len(self.bank_KD) == 1:
            return 1.0
        return 2 * self.recall(judged_QD, 2) - 1  # each row also finds itself

    def _find(self, queries_QD: Floats, k: int, probes: int, threads: int | None) -> Ints:
        """Row numbers (Q, k), -1 where there are none; the threads of OpenMP are this caller's own, and put back."""
        before = self._faiss.omp_get_max_threads()
        self._faiss.omp_set_num_threads(threads or available_threads())
        try:
            looking = self._faiss.SearchParametersIVF(nprobe=probes)
            numbers_QK: Ints = self._index.search(queries_QD, k, params=looking)[1]
            return numbers_QK
        finally:
            self._faiss.omp_set_num_threads(before)
