"""The map against SciPy's filter and a bilinear resize written out."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from blemish.arrays import Doubles, Floats
from blemish.scoring.heatmap import anomaly_map, on_grid


def bilinear(values: Floats, height: int, width: int) -> Doubles:
    """One axis after the other, pixels having their centres at halves, edges repeated."""
    rows, columns = (
        (np.arange(after) + 0.5) * before / after - 0.5
        for after, before in zip((height, width), values.shape, strict=True)
    )
    wide = np.array([np.interp(columns, np.arange(values.shape[1]), row) for row in values.astype(np.float64)])
    return np.array([np.interp(rows, np.arange(values.shape[0]), column) for column in wide.T]).T


@pytest.mark.parametrize("sigma", [0.0, 1.5, 4.0])
@pytest.mark.parametrize(("grid", "size"), [((28, 28), (224, 224)), ((12, 7), (96, 56)), ((5, 9), (43, 70))])
def test_the_map_is_bilinear_then_gaussian(grid: tuple[int, int], size: tuple[int, int], sigma: float) -> None:
    scores = np.random.default_rng(0).random(grid, np.float32)
    expected = bilinear(scores, *size)
    if sigma:
        expected = gaussian_filter(expected, sigma=sigma)
    ours = anomaly_map(scores, *size, sigma)
    assert ours.shape == size
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


def test_a_hot_patch_is_hot_at_its_place() -> None:
    scores = np.zeros((8, 16), np.float32)
    scores[2, 11] = 1
    y, x = np.unravel_index(anomaly_map(scores, 64, 128, 4.0).argmax(), (64, 128))
    assert abs(y - 19.5) <= 1
    assert abs(x - 91.5) <= 1


def test_a_flat_grid_gives_a_flat_map() -> None:
    np.testing.assert_allclose(anomaly_map(np.full((4, 6), 2.5, np.float32), 32, 48, 4.0), 2.5, rtol=1e-6)


def test_scores_are_laid_on_the_cells_that_count() -> None:
    seen = np.zeros((4, 6), np.bool_)
    seen[1:3, 2:5] = True
    grid = on_grid(np.arange(6, dtype=np.float32), seen)
    np.testing.assert_array_equal(grid[1:3, 2:5], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(grid[0], grid[1])
    np.testing.assert_array_equal(grid[3], grid[2])
    np.testing.assert_array_equal(grid[1], [0, 0, 0, 1, 2, 2])


def test_padding_repeats_its_nearest_score_as_numpy_pads() -> None:
    scores = np.random.default_rng(0).random((5, 7), np.float32)
    seen = np.zeros((17, 20), np.bool_)
    seen[4:9, 11:18] = True
    np.testing.assert_array_equal(on_grid(scores.ravel(), seen), np.pad(scores, ((4, 8), (11, 2)), mode="edge"))


def test_a_hole_is_filled_from_around_it() -> None:
    """Every cell that does not count takes the score of one that is as near as any, up to the metric's rounding."""
    random = np.random.default_rng(1)
    seen = random.random((12, 15)) > 0.7
    scores = np.arange(seen.sum(), dtype=np.float32)
    filled = on_grid(scores, seen)
    np.testing.assert_array_equal(filled[seen], scores)
    places = np.argwhere(seen)
    for cell in np.argwhere(~seen):
        distances = np.linalg.norm(places - cell, axis=1)
        assert distances[int(filled[tuple(cell)])] <= 1.1 * distances.min()
