"""Greedy k-centre against the textbook loop in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.arrays import Doubles, Floats
from blemish.errors import OptionError
from blemish.memory.coreset import greedy_coreset


def textbook(patches_ND: Floats, rows: int, first: int) -> tuple[list[int], Doubles]:
    """One pass over all patches per row; ties to the lowest index; each patch chosen once."""
    patches = patches_ND.astype(np.float64)
    distances_N = np.full(len(patches), np.inf)
    chosen, radii, free_N = [first], [], np.ones(len(patches), bool)
    while True:
        free_N[chosen[-1]] = False
        distances_N = np.minimum(distances_N, np.sqrt(((patches - patches[chosen[-1]]) ** 2).sum(axis=1)))
        radii.append(distances_N.max())
        if len(chosen) == rows:
            return chosen, np.array(radii)
        chosen.append(int(np.argmax(np.where(free_N, distances_N, -1))))


def test_points_on_a_line() -> None:
    coreset = greedy_coreset(np.array([[0.0], [1], [2], [3], [4], [10]], np.float32), 4, seed=0)
    chosen, radii = textbook(np.array([[0.0], [1], [2], [3], [4], [10]], np.float32), 4, int(coreset.indices[0]))
    assert coreset.indices.tolist() == chosen
    np.testing.assert_allclose(coreset.radii, radii, rtol=1e-6)


def test_the_four_corners_of_a_square_come_before_its_middle() -> None:
    square = np.array([[0, 0], [0, 8], [8, 0], [8, 8], [4, 4], [4, 5], [3, 4]], np.float32)
    chosen = greedy_coreset(square, 5).indices.tolist()
    assert {0, 1, 2, 3} <= set(chosen)


@pytest.mark.parametrize("dimension", [1, 3, 64, 152, 384, 1536])
def test_equals_the_textbook_on_random_patches(dimension: int) -> None:
    patches = np.random.default_rng(dimension).normal(size=(700, dimension)).astype(np.float32)
    coreset = greedy_coreset(patches, 60, seed=3)
    chosen, radii = textbook(patches, 60, int(coreset.indices[0]))
    assert coreset.indices.tolist() == chosen
    np.testing.assert_allclose(coreset.radii, radii, rtol=1e-6)


def test_equals_the_textbook_when_the_pool_is_a_small_part() -> None:
    generator = np.random.default_rng(4)
    patches: Floats = (generator.normal(size=(12_000, 6)) * np.array([5, 3, 2, 1, 1, 0.5])).astype(np.float32)
    coreset = greedy_coreset(patches, 500, seed=1)
    chosen, radii = textbook(patches, 500, int(coreset.indices[0]))
    assert coreset.indices.tolist() == chosen
    np.testing.assert_allclose(coreset.radii, radii, rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 80), st.integers(1, 10), st.integers(0, 2**32 - 1), st.booleans())
def test_equals_the_textbook(count: int, dimension: int, seed: int, coarse: bool) -> None:
    generator = np.random.default_rng(seed)
    drawn = generator.normal(size=(count, dimension))
    patches = np.asarray(np.round(drawn * 2) if coarse else drawn, np.float32)
    rows = int(generator.integers(1, count + 1))
    coreset = greedy_coreset(patches, rows, seed=seed)
    chosen, radii = textbook(patches, rows, int(coreset.indices[0]))
    assert coreset.indices.tolist() == chosen
    np.testing.assert_allclose(coreset.radii, radii, rtol=1e-6)
    assert (np.diff(coreset.radii) <= 0).all()


def test_asked_for_every_patch_it_gives_every_patch_once() -> None:
    patches = np.repeat(np.arange(5.0), 3)[:, None].astype(np.float32)
    coreset = greedy_coreset(patches, 15)
    assert sorted(coreset.indices.tolist()) == list(range(15))
    assert coreset.radii[-1] == 0


def test_one_patch_is_its_own_coreset() -> None:
    coreset = greedy_coreset(np.ones((1, 4), np.float32), 1)
    assert coreset.indices.tolist() == [0]
    assert coreset.radii.tolist() == [0.0]


@pytest.mark.parametrize("scale", [1e-30, 1e18])
def test_huge_and_tiny_norms(scale: float) -> None:
    patches = (np.random.default_rng(5).normal(size=(300, 7)) * scale).astype(np.float32)
    coreset = greedy_coreset(patches, 40)
    assert coreset.indices.tolist() == textbook(patches, 40, int(coreset.indices[0]))[0]


def test_the_seed_draws_the_first_row_and_nothing_else() -> None:
    patches = np.random.default_rng(6).normal(size=(500, 5)).astype(np.float32)
    firsts = {int(greedy_coreset(patches, 2, seed=seed).indices[0]) for seed in range(5)}
    assert len(firsts) > 1
    assert (greedy_coreset(patches, 50, seed=0).indices == greedy_coreset(patches, 50, seed=0).indices).all()


def test_threads_do_not_change_the_rows() -> None:
    patches = np.random.default_rng(7).normal(size=(6000, 9)).astype(np.float32)
    one, three = greedy_coreset(patches, 200, threads=1), greedy_coreset(patches, 200, threads=3)
    assert (one.indices == three.indices).all()
    assert (one.radii == three.radii).all()


def test_progress_ends_complete() -> None:
    calls: list[tuple[str, int, int]] = []
    greedy_coreset(
        np.random.default_rng(8).normal(size=(100, 3)).astype(np.float32),
        20,
        progress=lambda step, done, total: calls.append((step, done, total)),
    )
    assert calls[-1] == ("coreset", 20, 20)


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    patches = np.zeros((4, 3), np.float32)
    patches[3, 0] = bad
    with pytest.raises(OptionError, match="NaN or infinity"):
        greedy_coreset(patches, 2)


@pytest.mark.parametrize("rows", [0, 5])
def test_more_rows_than_patches_or_none_are_refused(rows: int) -> None:
    with pytest.raises(OptionError, match=f"a coreset of {rows} rows was asked of 4 patches"):
        greedy_coreset(np.zeros((4, 3), np.float32), rows)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,)])
def test_shapes_without_patches_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match="both at least 1"):
        greedy_coreset(np.zeros(shape, np.float32), 1)
