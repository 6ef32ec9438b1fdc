"""The two middle steps, on points whose answer can be seen."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from blemish.arrays import Array, Bools
from blemish.features.patches import ImagePatches
from blemish.images.transform import Transform
from blemish.memory.choose import coreset_rows, coreset_shard
from blemish.memory.training import TrainingPatches
from blemish.methods.method import Scores
from blemish.methods.patchcore import PatchCore
from blemish.options.settings import divide_options

GRID = (2, 2)
WHOLE = np.ones((2, 2), np.bool_)


def patches(values: Array) -> TrainingPatches:
    """Four patches an image, on a grid of two by two."""
    count = len(values) // 4
    return TrainingPatches(
        np.asarray(values, np.float32),
        np.repeat(np.arange(count), 4),
        np.tile(np.arange(4), count),
        GRID,
        [WHOLE] * count,
    )


@pytest.fixture
def corners() -> TrainingPatches:
    """Two images: corners of a square of side 10, and the same corners a little off."""
    square = np.array([[0, 0], [0, 10], [10, 0], [10, 10]])
    return patches(np.vstack([square, square + 0.25]))


def fit(patches: TrainingPatches, images: Bools | None = None, **options: Any) -> PatchCore:
    settings, resources = divide_options({"sigma": 0} | options)
    transform = Transform(height=2, width=2, resize="stretch")  # a pixel a patch: the map is the patch scores
    return PatchCore.fit([patches], [coreset_shard(patches, settings, resources)], settings, transform, images=images)


def score(method: PatchCore, queries: ArrayLike) -> Scores:
    return method.score({"patches": ImagePatches(np.asarray(queries, np.float32), WHOLE)})


def test_four_rows_cover_the_four_corners(corners: TrainingPatches) -> None:
    method = fit(corners, coreset=4)
    assert sorted(map(tuple, np.round(method.looks[0].bank.rows_KD / 10))) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert method.looks[0].bank.radii_K[-1] == pytest.approx(0.25 * 2**0.5)


@pytest.mark.parametrize("coreset", [1.0, 8])
def test_all_patches_are_kept_in_their_own_order(corners: TrainingPatches, coreset: float) -> None:
    bank = fit(corners, coreset=coreset).looks[0].bank
    np.testing.assert_array_equal(bank.rows_KD, corners.values_ND)
    np.testing.assert_array_equal(bank.radii_K, np.zeros(8))
    np.testing.assert_array_equal(
        fit(corners, np.array([False, True]), coreset=1.0).looks[0].bank.rows_KD, corners.values_ND[4:]
    )


def test_rows_know_where_they_were_seen(corners: TrainingPatches) -> None:
    bank = fit(corners, coreset=8).looks[0].bank
    for row, image, cell in zip(bank.rows_KD, bank.image_K, bank.cell_K, strict=True):
        np.testing.assert_array_equal(row, corners.values_ND[image * 4 + cell])


def test_scores_are_distances_to_the_nearest_row(corners: TrainingPatches) -> None:
    method = fit(corners, coreset=8, image_score="max")
    answer = score(method, [[0, 0], [10, 13], [5, 5], [10, 10]])
    assert answer.matches is not None
    assert answer.image == answer.matches.distance_Q.max() == pytest.approx(np.hypot(4.75, 4.75))
    farthest = int(answer.matches.distance_Q.argmax())
    # The patch at (0.25, 0.25)
    assert (answer.matches.image_Q[farthest], answer.matches.cell_Q[farthest], answer.matches.grid) == (1, 0, GRID)
    # Distances, not their squares, row by row; and a patch that is in the bank is at distance 0.
    assert answer.map_HW is not None
    np.testing.assert_allclose(answer.map_HW, [[0, np.hypot(0.25, 2.75)], [np.hypot(4.75, 4.75), 0]], rtol=1e-6)


def test_image_scores_differ_as_their_names_say(corners: TrainingPatches) -> None:
    queries = [[0, 0], [0, 0], [0, 2], [0, 4]]

    def image_score(**options: Any) -> float:
        return score(fit(corners, coreset=8, **options), queries).image

    largest, second = np.hypot(0.25, 3.75), np.hypot(0.25, 1.75)
    assert image_score(image_score="max", sigma=1) == pytest.approx(largest)
    assert image_score(image_score="peak") == pytest.approx(largest)
    assert second < image_score(image_score="peak", sigma=0.5) < largest
    assert image_score(image_score="top", top=0.5) == pytest.approx((largest + second) / 2)
    few, many = (image_score(image_score="reweighted", neighbours=neighbours) for neighbours in (2, 8))
    assert 0 < few < many < largest


def test_seed_0_is_a_seed_and_draws_the_first_row() -> None:
    """`if seed:` would take 0 for none."""
    cloud = patches(np.random.default_rng(7).normal(size=(400, 3)))
    zero, again, one = (fit(cloud, coreset=10, seed=seed).looks[0].bank.rows_KD for seed in (0, 0, 1))
    np.testing.assert_array_equal(zero, again)
    assert not np.array_equal(zero, one)


def test_projection_chooses_other_rows_but_keeps_whole_ones() -> None:
    cloud = patches(np.random.default_rng(7).normal(size=(400, 32)))
    exact, projected = fit(cloud, coreset=20).looks[0].bank, fit(cloud, coreset=20, projection=2).looks[0].bank
    assert projected.rows_KD.shape == exact.rows_KD.shape
    assert not np.array_equal(exact.rows_KD, projected.rows_KD)


@pytest.mark.parametrize(
    ("count", "coreset", "rows"),
    [(1000, 0.01, 10), (1000, 1.0, 1000), (10, 0.01, 1), (1000, 25.0, 25), (10, 5000.0, 10)],
)
def test_a_share_or_a_number_of_rows(count: int, coreset: float, rows: int) -> None:
    assert coreset_rows(count, coreset) == rows


def test_a_larger_bank_never_raises_a_score() -> None:
    random = np.random.default_rng(3)
    cloud, queries = patches(random.normal(size=(400, 8))), random.normal(size=(4, 8))
    maps = [np.asarray(score(fit(cloud, coreset=rows), queries).map_HW) for rows in (2, 4, 16, 64, 256)]
    for smaller, larger in pairwise(maps):
        assert (larger <= smaller).all()


def test_images_left_out_leave_no_row(corners: TrainingPatches) -> None:
    bank = fit(corners, np.array([False, True]), coreset=1.0).looks[0].bank
    assert (set(bank.image_K), len(bank.rows_KD)) == ({1}, 4)
