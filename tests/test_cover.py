"""Growing a bank by the greedy rule, against the coreset itself and points whose answer can be seen."""

import numpy as np
import pytest

from blemish.arrays import Floats
from blemish.kernels.best import best_kernels
from blemish.kernels.protocol import Kernels
from blemish.kernels.pure import Pure
from blemish.memory.coreset import greedy_coreset
from blemish.memory.cover import cover
from blemish.search.exact import ExactSearch

BOTH = [best_kernels(), Pure()]


def line(*values: float) -> Floats:
    return np.array(values, np.float32)[:, None]


@pytest.mark.parametrize("kernels", BOTH, ids=lambda kernels: kernels.name)
def test_the_farthest_comes_first_and_covers_its_neighbour(kernels: Kernels) -> None:
    """The bank is at 0; 9 and 10 are far, and 10 covers 9; 3 is near enough."""
    coreset = cover(line(1, 3, 9, 10), np.array([1.0, 3, 9, 10]), radius=3, kernels=kernels)
    assert coreset.indices.tolist() == [3]
    assert coreset.radii.tolist() == [10]


@pytest.mark.parametrize("kernels", BOTH, ids=lambda kernels: kernels.name)
def test_what_lies_at_the_radius_is_covered(kernels: Kernels) -> None:
    assert cover(line(1, 3), np.array([1.0, 3]), radius=3, kernels=kernels).indices.tolist() == []
    assert cover(line(5, 9), np.array([5.0, 9]), radius=4, kernels=kernels).indices.tolist() == [1]


def test_radius_0_takes_every_patch_that_is_not_in_the_bank_once() -> None:
    coreset = cover(line(0, 2, 2, 5), np.array([0.0, 2, 2, 5]), radius=0)
    assert coreset.indices.tolist() == [3, 1]


@pytest.mark.parametrize("kernels", BOTH, ids=lambda kernels: kernels.name)
def test_it_goes_on_where_the_coreset_stopped(kernels: Kernels) -> None:
    """Twenty rows by the coreset and the rest by `cover`: the same sequence as of the coreset alone."""
    patches_ND = np.random.default_rng(0).normal(size=(2000, 24)).astype(np.float32)
    whole = greedy_coreset(patches_ND, 60, seed=3)
    bank_KD = patches_ND[whole.indices[:20]]
    distances_N = ExactSearch(bank_KD).query(patches_ND)[0][:, 0]
    rest = cover(patches_ND, distances_N, float(whole.radii[59]), kernels=kernels)
    assert rest.indices.tolist()[:39] == whole.indices.tolist()[20:59]
    np.testing.assert_array_equal(rest.radii[:39], whole.radii[19:58])


def test_afterwards_every_patch_is_within_the_radius() -> None:
    random = np.random.default_rng(1)
    bank_KD, patches_ND = (random.normal(size=(count, 16)).astype(np.float32) for count in (30, 500))
    distances_N = ExactSearch(bank_KD).query(patches_ND)[0][:, 0]
    chosen = cover(patches_ND, distances_N, radius=3.5).indices
    assert 0 < len(chosen) < 500
    grown_KD = np.concatenate([bank_KD, patches_ND[chosen]]).astype(np.float64)
    brute_N = np.linalg.norm(patches_ND[:, None].astype(np.float64) - grown_KD, axis=2).min(axis=1)
    assert brute_N.max() <= 3.5 * (1 + 1e-6)
