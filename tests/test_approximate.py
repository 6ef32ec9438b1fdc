"""Search by faiss behind the protocol of exact search."""

import sys

import numpy as np
import pytest

from blemish.errors import OptionError
from blemish.language.numbers import percent
from blemish.search.approximate import ApproximateSearch
from blemish.search.exact import ExactSearch
from blemish.search.search import Search


def test_with_every_cell_it_finds_what_exact_search_finds() -> None:
    pytest.importorskip("faiss", reason="the extra [faiss] is not installed")
    generator = np.random.default_rng(0)
    bank, queries = (generator.normal(size=(count, 12)).astype(np.float32) for count in (2000, 50))
    both: list[Search] = [ApproximateSearch(bank, probes=10_000), ExactSearch(bank)]
    (distances, numbers), (expected_distances, expected_numbers) = (search.query(queries, 5) for search in both)
    assert (numbers == expected_numbers).all()
    assert (distances == expected_distances).all()


def test_fewer_cells_find_fewer_and_say_so() -> None:
    pytest.importorskip("faiss", reason="the extra [faiss] is not installed")
    generator = np.random.default_rng(1)
    bank, queries = (generator.normal(size=(count, 12)).astype(np.float32) for count in (4000, 200))
    few, many = (ApproximateSearch(bank, probes=probes) for probes in (1, 10_000))
    assert 0.1 < few.recall(queries) < many.recall(queries) == 1
    assert (few.query(queries)[0] >= many.query(queries)[0]).all()


def test_recall_is_told_in_words_and_threads_are_put_back() -> None:
    faiss = pytest.importorskip("faiss", reason="the extra [faiss] is not installed")
    bank = np.random.default_rng(2).normal(size=(4000, 12)).astype(np.float32)
    few, many = (ApproximateSearch(bank, probes=probes) for probes in (1, 10_000))
    before = faiss.omp_get_max_threads()
    few.query(bank[:3], threads=1)
    assert faiss.omp_get_max_threads() == before
    assert str(many) == "approximate search finds 100.0 % of the rows nearest to others of the bank"
    others = ExactSearch(bank).query(bank[::7], 2)[1][:, 1]
    found = float((few.query(bank[::7], 2)[1][:, 1] == others).mean())
    assert str(few) == f"approximate search finds {percent(found)} of the rows nearest to others of the bank"
    assert str(ApproximateSearch(bank[:1])).startswith("approximate search finds 100.0 %")


def test_without_faiss_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(OptionError, match=r"pip install 'blemish\[faiss\]'"):
        ApproximateSearch(np.zeros((3, 2), np.float32))
