"""Edges of large images: good parts score no higher there than in the middle."""

from pathlib import Path

import numpy as np
import pytest
from parts import TINY
from test_tiles import surface

from blemish.arrays import Floats
from blemish.detector import Detector, load
from blemish.fitting import fit
from blemish.methods.patchcore import PatchCore
from blemish.scoring.score import RINGS, edge_scale, no_edges, ring_of_cells, some_cells


@pytest.mark.parametrize("grid", [(1, 1), (3, 40), (17, 17), (50, 84)])
def test_a_ring_is_the_way_to_the_nearest_edge(grid: tuple[int, int]) -> None:
    rings = ring_of_cells(grid)
    for row, column in np.ndindex(grid):
        nearest = min(row, column, grid[0] - 1 - row, grid[1] - 1 - column)
        assert rings[row, column] == min(nearest, RINGS)
    some = some_cells(grid)
    assert some[rings < RINGS].all()
    assert some.mean() >= 1 / 8


def test_the_scale_of_a_ring_is_how_much_farther_its_good_patches_lie() -> None:
    random = np.random.default_rng(0)
    ring = np.repeat(np.arange(RINGS + 1), 4000)
    farther = np.array([1.5, 1.2, 0.5, *[1.0] * (RINGS - 2)])
    distances = (random.gamma(9, 1, len(ring)) * farther[ring]).astype(np.float32)
    scale = edge_scale(distances, ring)
    np.testing.assert_allclose(scale, np.maximum(1, farther), rtol=0.05)
    assert scale.min() == scale[-1] == 1


@pytest.mark.parametrize("values", [np.empty(0, np.float32), np.zeros(9, np.float32), np.ones(9, np.float32)])
def test_where_nothing_can_be_measured_nothing_is_scaled(values: Floats) -> None:
    np.testing.assert_array_equal(edge_scale(values, np.zeros(len(values), np.int64)), no_edges())
    np.testing.assert_array_equal(edge_scale(values, np.full(len(values), RINGS)), no_edges())


@pytest.fixture(scope="module")
def tiled() -> Detector:
    return fit([surface(seed) for seed in range(4)], tiles=320, patch_size=1, coreset=1000, folds=2, threads=2)


def test_good_images_do_not_peak_at_their_edges(tiled: Detector) -> None:
    """Without the scale, their edges rise above their middles by a third."""
    edges, middles = [], []
    for seed in range(20, 26):
        heat = tiled.inspect(surface(seed)).anomaly_map
        assert heat is not None
        middle = np.zeros(heat.shape, np.bool_)
        middle[24:-24, 24:-24] = True
        edges.append(heat[~middle].max())
        middles.append(heat[middle].max())
    assert np.mean(edges) < 1.05 * np.mean(middles)


def test_the_scale_is_kept_in_the_model_file(tiled: Detector, tmp_path: Path) -> None:
    tiled.save(tmp_path / "a.blemish")
    again = load(tmp_path / "a.blemish", threads=2)
    assert isinstance(tiled.model.method, PatchCore)
    assert isinstance(again.model.method, PatchCore)
    np.testing.assert_array_equal(again.model.method.looks[0].edges_R, tiled.model.method.looks[0].edges_R)
    assert again.inspect(surface(30)).score == tiled.inspect(surface(30)).score
    assert again.info()["edges"] == tiled.model.method.looks[0].edges_R.max() > 1


def test_images_seen_at_once_are_scored_as_they_were(folder: Path) -> None:
    method = fit(folder / "fit", threads=2, **TINY).model.method
    assert isinstance(method, PatchCore)
    np.testing.assert_array_equal(method.looks[0].edges_R, no_edges())
