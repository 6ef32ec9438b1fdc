"""Image scores against the formulas as they are printed."""

import numpy as np
import pytest

from blemish.arrays import Floats
from blemish.scoring.score import LEAST, PRIOR, maximum, reweighted_maximum, row_scale, top_mean
from blemish.search.exact import ExactSearch


def literal(patches_QD: Floats, bank_KD: Floats, neighbours: int) -> tuple[float, float]:
    """Equations 6 and 7 word by word, in long doubles: (s, s*)."""
    queries, bank = patches_QD.astype(np.longdouble), bank_KD.astype(np.longdouble)
    distances = np.sqrt(((queries[:, None] - bank) ** 2).sum(axis=2))
    test = distances.min(axis=1).argmax()
    nearest = distances[test].argmin()
    largest = distances[test, nearest]
    around = np.argsort(((bank - bank[nearest]) ** 2).sum(axis=1), kind="stable")[:neighbours]
    weight = 1 - np.exp(largest) / np.exp(distances[test, around]).sum()
    return float(weight * largest), float(largest)


def ours(patches_QD: Floats, bank_KD: Floats, neighbours: int) -> float:
    search = ExactSearch(bank_KD)
    distances, nearest = search.query(patches_QD)
    return reweighted_maximum(distances[:, 0], nearest[:, 0], patches_QD, search, neighbours)


@pytest.mark.parametrize("neighbours", [2, 3, 9])
@pytest.mark.parametrize("scale", [0.01, 1, 30])
def test_reweighting_is_equation_7(scale: float, neighbours: int) -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        bank = (random.standard_normal((40, 8)) * scale).astype(np.float32)
        patches = (random.standard_normal((10, 8)) * 2 * scale).astype(np.float32)
        score, largest = literal(patches, bank, neighbours)
        result = ours(patches, bank, neighbours)
        assert result == pytest.approx(score, rel=1e-5)
        assert (1 - 1 / neighbours) * largest <= result * (1 + 1e-5)
        assert result <= largest * (1 + 1e-6)


def test_a_point_with_its_answer() -> None:
    bank = np.array([[0, 0], [3, 0], [100, 0]], np.float32)
    patches = np.array([[0, 0], [0, 4]], np.float32)
    expected = (1 - np.exp(4) / (np.exp(4) + np.exp(5))) * 4
    assert ours(patches, bank, 2) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("distance", [800.0, 1e4, 1e6])
def test_huge_distances_do_not_overflow(distance: float) -> None:
    bank = np.zeros((9, 4), np.float32)
    bank[:, 0] = np.arange(9) * 1e-3
    patches = np.array([[0, distance, 0, 0]], np.float32)
    assert ours(patches, bank, 9) == pytest.approx(8 / 9 * distance, rel=1e-2)


def test_a_small_bank_is_its_own_neighbourhood() -> None:
    bank = np.array([[0, 0], [3, 0]], np.float32)
    patches = np.array([[0, 4]], np.float32)
    assert ours(patches, bank, 9) == ours(patches, bank, 2)


def test_a_bank_of_one_row_still_tells_good_from_bad() -> None:
    """The formula gives 0 to every image, which would call each of them good."""
    bank = np.array([[0, 0]], np.float32)
    assert ours(np.array([[0, 4]], np.float32), bank, 9) == 4


def test_a_patch_of_the_bank_scores_0() -> None:
    bank = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    assert ours(bank[3:5], bank, 9) == 0


def test_the_maximum_is_the_largest() -> None:
    assert maximum(np.array([1, 7, 3], np.float32)) == 7


@pytest.mark.parametrize(("share", "expected"), [(0.01, 10), (0.1, 10), (0.2, 9.5), (0.34, 9), (1, 5.5)])
def test_the_top_mean_takes_its_share_and_at_least_one(share: float, expected: float) -> None:
    distances = np.random.default_rng(0).permutation(np.arange(1, 11)).astype(np.float32)
    assert top_mean(distances, share) == pytest.approx(expected)


def test_the_scale_of_a_row_is_the_root_of_how_far_good_patches_usually_lie_from_it_and_its_neighbours() -> None:
    random = np.random.default_rng(1)
    scores, rows = random.uniform(1, 5, 500).astype(np.float32), random.integers(0, 12, 500)
    around = np.array([[row, (row + 1) % 12, (row + 5) % 12] for row in range(12)])
    scale = row_scale(scores, rows, around)
    for row in range(12):
        near = scores[np.isin(rows, around[row])].astype(np.float64)
        usual = (near.sum() + PRIOR * scores.mean(dtype=np.float64)) / (len(near) + PRIOR)
        assert scale[row] == pytest.approx(np.sqrt(usual / scores.mean(dtype=np.float64)), rel=1e-6)


def test_rows_that_no_good_patch_came_near_are_usual_and_calm_ones_stay_bounded() -> None:
    around = np.arange(3)[:, None]
    scores, rows = np.array([0.0] * 1000 + [8.0] * 1000, np.float32), np.repeat([0, 1], 1000)
    calm, wild, unknown = row_scale(scores, rows, around).tolist()
    assert calm == LEAST
    assert wild == pytest.approx(np.sqrt((8000 + PRIOR * 4) / (1000 + PRIOR) / 4), rel=1e-6)
    assert unknown == 1
    assert row_scale(scores * 0, rows, around).tolist() == [1, 1, 1]
