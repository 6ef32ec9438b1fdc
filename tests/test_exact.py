"""Exact search against float64 brute force."""

import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.arrays import Doubles, Floats, Ints
from blemish.errors import OptionError
from blemish.kernels.pure import Pure
from blemish.search.exact import MANY, ExactSearch


def brute_force(queries_QD: Floats, bank_KD: Floats, k: int) -> tuple[Doubles, Ints]:
    """All distances in float64; ties to the lowest row."""
    difference_QKD = queries_QD.astype(np.float64)[:, None, :] - bank_KD.astype(np.float64)[None]
    distances_QK = np.sqrt((difference_QKD**2).sum(axis=2))
    rows = np.argsort(distances_QK, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances_QK, rows, axis=1), rows


def test_points_on_a_square() -> None:
    bank = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    distances, rows = ExactSearch(bank).query(np.array([[0.9, 0.2], [0, 3]], np.float32), k=2)
    assert rows.tolist() == [[1, 2], [3, 2]]
    np.testing.assert_allclose(distances, [[np.hypot(0.1, 0.2), np.hypot(0.1, 0.8)], [2, np.sqrt(5)]], rtol=1e-6)


@pytest.mark.parametrize("dimension", [1, 3, 64, 152, 384, 1536])
@pytest.mark.parametrize("rows", [1, 2, 7, 1000])
def test_equals_brute_force_on_random_rows(rows: int, dimension: int) -> None:
    generator = np.random.default_rng(rows * 10_000 + dimension)
    bank = generator.normal(size=(rows, dimension)).astype(np.float32)
    queries = generator.normal(size=(11, dimension)).astype(np.float32)
    k = min(3, rows)
    distances, numbers = ExactSearch(bank).query(queries, k)
    expected_distances, expected_numbers = brute_force(queries, bank, k)
    assert (numbers == expected_numbers).all()
    np.testing.assert_allclose(distances, expected_distances, rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e6, 1e18])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_a_row_of_the_bank_is_at_exactly_zero(scale: float, offset: float) -> None:
    bank = ((np.random.default_rng(0).normal(size=(500, 40)) + offset) * scale).astype(np.float32)
    distances, numbers = ExactSearch(bank).query(bank)
    assert (distances == 0).all()
    assert (numbers[:, 0] == np.arange(500)).all()


def test_ties_go_to_the_lowest_row() -> None:
    bank = np.repeat(np.random.default_rng(1).normal(size=(5, 6)), 4, axis=0).astype(np.float32)
    distances, numbers = ExactSearch(bank).query(bank[[19, 6]], k=3)
    assert numbers.tolist() == [[16, 17, 18], [4, 5, 6]]
    assert (distances == 0).all()


def test_constant_rows_are_all_equally_near() -> None:
    distances, numbers = ExactSearch(np.full((30, 8), 2.5, np.float32)).query(np.full((2, 8), 3.5, np.float32), k=30)
    assert (numbers == np.arange(30)).all()
    np.testing.assert_allclose(distances, np.sqrt(8), rtol=1e-6)


def test_norms_of_very_different_size_in_one_bank() -> None:
    generator = np.random.default_rng(2)
    scales = 10.0 ** generator.uniform(-15, 15, size=(300, 1))
    bank: Floats = (generator.normal(size=(300, 24)) * scales).astype(np.float32)
    queries: Floats = bank[::-1].copy()
    queries *= np.float32(1.01)
    distances, numbers = ExactSearch(bank).query(queries, k=4)
    expected_distances, expected_numbers = brute_force(queries, bank, 4)
    assert (numbers == expected_numbers).all()
    np.testing.assert_allclose(distances, expected_distances, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 140),
    st.integers(1, 30),
    st.integers(1, 5),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_search_equals_brute_force(rows: int, queries: int, dimension: int, k: int, seed: int, coarse: bool) -> None:
    generator = np.random.default_rng(seed)
    drawn = generator.normal(size=(rows + queries, dimension))
    both = np.asarray(np.round(drawn * 2) if coarse else drawn, np.float32)
    distances, numbers = ExactSearch(both[:rows]).query(both[rows:], min(k, rows))
    expected_distances, expected_numbers = brute_force(both[rows:], both[:rows], min(k, rows))
    assert (numbers == expected_numbers).all()
    np.testing.assert_allclose(distances, expected_distances, rtol=1e-6)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("queries", [1, 2, 3, 4, 5, 6, 7, 203])
def test_a_large_bank_where_queries_bound_each_other(queries: int, k: int) -> None:
    generator = np.random.default_rng(queries)
    bank = generator.normal(size=(MANY + 77, 24)).astype(np.float32)
    walk = bank[:1] + generator.normal(size=(queries, 24)).cumsum(axis=0) / 10
    asked = np.asarray(walk, np.float32)
    asked[2::7] = bank[-1]
    expected_distances, expected_numbers = brute_force(asked, bank, k)
    for kernels in (None, Pure()):
        distances, numbers = ExactSearch(bank, kernels=kernels, threads=1).query(asked, k)
        assert (numbers == expected_numbers).all()
        np.testing.assert_allclose(distances, expected_distances, rtol=1e-6)


def test_the_answer_depends_neither_on_threads_nor_on_company() -> None:
    generator = np.random.default_rng(3)
    bank = generator.normal(size=(700, 50)).astype(np.float32)
    queries = generator.normal(size=(400, 50)).astype(np.float32)
    one, two = ExactSearch(bank, threads=1).query(queries, 2), ExactSearch(bank, threads=4).query(queries, 2)
    alone = [ExactSearch(bank).query(queries[[i]], 2) for i in range(0, 400, 37)]
    assert (one[0] == two[0]).all()
    assert (one[1] == two[1]).all()
    assert (np.concatenate([distances for distances, _ in alone]) == one[0][::37]).all()


def test_no_queries_give_no_answers() -> None:
    distances, numbers = ExactSearch(np.zeros((3, 2), np.float32)).query(np.empty((0, 2), np.float32))
    assert distances.shape == numbers.shape == (0, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    rows = np.zeros((4, 3), np.float32)
    spoilt = rows.copy()
    spoilt[2, 1] = bad
    with pytest.raises(OptionError, match="NaN or infinity"):
        ExactSearch(spoilt)
    with pytest.raises(OptionError, match="NaN or infinity"):
        ExactSearch(rows).query(spoilt)


def test_shapes_that_do_not_fit_are_named() -> None:
    search = ExactSearch(np.zeros((4, 3), np.float32))
    with pytest.raises(OptionError, match=r"patches of 3 numbers; they came as \(2, 5\)"):
        search.query(np.zeros((2, 5), np.float32))
    with pytest.raises(OptionError, match="k = 5 nearest rows were asked of a bank of 4"):
        search.query(np.zeros((2, 3), np.float32), k=5)
    with pytest.raises(OptionError, match=r"both at least 1; it came as \(0, 3\)"):
        ExactSearch(np.zeros((0, 3), np.float32))


@pytest.mark.parametrize("dimension", [8, 152, 800])
def test_a_search_over_other_rows_is_as_exact(dimension: int) -> None:
    """Along axes of other rows, far from them too, and of fewer rows than axes."""
    random = np.random.default_rng(5)
    first_KD, queries_QD = (random.normal(size=(count, dimension)).astype(np.float32) for count in (400, 60))
    search = ExactSearch(first_KD)
    for bank_KD in (first_KD[:7], first_KD[::2] * 50 + 3, np.vstack([first_KD, queries_QD[:9]])):
        found, wanted = search.over(bank_KD).query(queries_QD, 5), ExactSearch(bank_KD).query(queries_QD, 5)
        np.testing.assert_array_equal(found[0], wanted[0])
        np.testing.assert_array_equal(found[1], wanted[1])
    np.testing.assert_array_equal(search.query(queries_QD)[1], ExactSearch(first_KD).query(queries_QD)[1])


def test_a_search_over_other_rows_makes_no_bound_again(bounds_made: Callable[..., list[int]]) -> None:
    """It was copied by what sends it to another processor, which made all of it anew: a sixth of a small fit."""
    made = bounds_made("search.exact")
    bank_KD = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    other = ExactSearch(bank_KD, threads=1).over(bank_KD[:30])
    assert made == [40]
    assert pickle.loads(pickle.dumps(other)).query(bank_KD, 2)[1].tolist() == other.query(bank_KD, 2)[1].tolist()
