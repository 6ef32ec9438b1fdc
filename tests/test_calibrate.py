"""Thresholds come from images that the memory has not seen, and never from half a group."""

import numpy as np
import pytest

from blemish.arrays import Bools, Doubles
from blemish.errors import DataError
from blemish.scoring.calibrate import calibrate, divide


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_groups_are_never_divided(seed: int) -> None:
    groups = [f"part {number // 3}" for number in range(60)]
    folds = divide(groups, 5, seed)
    assert len(folds) == 60
    for part in set(groups):
        assert len({fold for fold, group in zip(folds, groups, strict=True) if group == part}) == 1
    assert sorted(np.bincount(folds)) == [12] * 5


def test_the_seed_decides_and_the_order_does_not() -> None:
    groups = [f"part {number}" for number in range(40)]
    np.testing.assert_array_equal(divide(groups, 5, 0), divide(groups, 5, 0))
    assert (divide(groups, 5, 0) != divide(groups, 5, 1)).any()
    np.testing.assert_array_equal(divide(groups[::-1], 5, 0), divide(groups, 5, 0)[::-1])


def test_few_groups_make_few_folds() -> None:
    assert sorted(divide(["a", "b", "b"], 5, 0).tolist()) in ([0, 0, 1], [0, 1, 1])


@pytest.mark.parametrize("groups", [["a"], ["a", "a", "a"]])
def test_one_group_is_refused(groups: list[str]) -> None:
    with pytest.raises(DataError, match=r"form 1 group\(s\); at least 2 good images of different parts"):
        divide(groups, 5, 0)


def test_every_image_is_scored_once_while_held_out() -> None:
    groups = [f"part {number // 2}" for number in range(20)]
    asked: list[Bools] = []

    def score(held_out: Bools) -> tuple[Doubles, Doubles]:
        asked.append(held_out.copy())
        numbers = np.flatnonzero(held_out).astype(np.float64)
        return numbers, numbers + 100

    steps: list[tuple[str, int, int]] = []
    calibration, held_out = calibrate(
        score, groups, quantile=0.5, folds=4, seed=0, progress=lambda *step: steps.append(step)
    )
    np.testing.assert_array_equal(np.sum(asked, axis=0), 1)
    np.testing.assert_array_equal(held_out.image_M, np.arange(20))
    np.testing.assert_array_equal(held_out.scores_M, np.arange(20))
    np.testing.assert_array_equal(held_out.peaks_M, np.arange(20) + 100)
    assert steps == [("threshold", done, 4) for done in (1, 2, 3, 4)]
    # Half of 19 steps is 9.5: the quantile is a score that was seen, the higher of its neighbours.
    assert (calibration.threshold, calibration.map_threshold) == (10, 110)
    assert (calibration.folds, calibration.images, calibration.groups) == (4, 20, 10)
    assert "50.0% quantile of 20 good images (10 groups)" in str(calibration)


def test_a_method_that_is_fitted_once_is_scored_on_one_fold() -> None:
    groups = [f"part {number // 2}" for number in range(20)]
    asked: list[Bools] = []

    def score(held_out: Bools) -> tuple[Doubles, Doubles]:
        asked.append(held_out.copy())
        numbers = np.flatnonzero(held_out).astype(np.float64)
        return numbers, numbers + 100

    calibration, held_out = calibrate(score, groups, quantile=0.99, folds=5, seed=0, once=True)
    assert len(asked) == 1
    np.testing.assert_array_equal(held_out.image_M, np.flatnonzero(asked[0]))
    np.testing.assert_array_equal(held_out.scores_M, held_out.image_M)
    assert len(held_out.image_M) == 4  # two of ten groups
    assert (calibration.threshold, calibration.map_threshold) == (held_out.image_M.max(), held_out.image_M.max() + 100)
    assert (calibration.images, calibration.groups) == (4, 2)


def test_the_threshold_lets_pass_the_stated_share() -> None:
    random = np.random.default_rng(0)
    values = random.random(500)
    calibration, held_out = calibrate(
        lambda held_out: (values[held_out], values[held_out]),
        [str(number) for number in range(500)],
        quantile=0.95,
        folds=5,
        seed=0,
    )
    assert (held_out.scores_M <= calibration.threshold).mean() >= 0.95
    assert (held_out.scores_M < calibration.threshold).mean() < 0.955
