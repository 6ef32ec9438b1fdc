"""Bootstrap intervals over groups."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from blemish.errors import DataError, OptionError
from blemish.evaluation.bootstrap import Interval, intervals
from blemish.evaluation.metrics import auroc, f1_max, sweep


def two_bells(count: int, seed: int = 0) -> tuple[list[float], list[int], list[str]]:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    return list(rng.normal(size=count) + labels), labels.tolist(), [f"part {i}" for i in range(count)]


def test_a_perfect_detector_has_no_spread() -> None:
    answer = intervals([0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1], list("abcdef"))
    assert answer.auroc == answer.average_precision == answer.f1_max == Interval(1, 1)


def test_weights_count_as_copies() -> None:
    scores, labels = np.array([1.0, 2, 2, 3, 4]), np.array([0, 1, 0, 0, 1])
    weights = np.array([[2.0, 0, 3, 1, 1], [1, 1, 1, 1, 1], [0, 4, 1, 0, 0]])
    swept = sweep(scores, labels, weights)
    for drawn, area, precision in zip(weights, swept.auroc_R(), swept.average_precision_R(), strict=True):
        copies = np.repeat(np.arange(5), drawn.astype(int))
        assert area == pytest.approx(roc_auc_score(labels[copies], scores[copies]))
        assert precision == pytest.approx(average_precision_score(labels[copies], scores[copies]))
    assert swept.f1_RU()[0].max() == pytest.approx(f1_max([1, 1, 2, 2, 2, 3, 4], [0, 0, 0, 0, 0, 0, 1]).value)


def test_the_interval_holds_the_estimate_and_narrows_with_more_parts() -> None:
    def width(count: int) -> float:
        scores, labels, groups = two_bells(count)
        found = intervals(scores, labels, groups).auroc
        assert found.low < auroc(scores, labels) < found.high
        return found.high - found.low

    assert width(1000) < width(60) / 2


def test_pictures_of_one_part_count_once() -> None:
    scores, labels, groups = two_bells(40)
    once = intervals(scores, labels, groups)
    # Twenty pictures of each part tell nothing new; resampling pictures would narrow the interval over fourfold.
    twentyfold = intervals(scores * 20, labels * 20, groups * 20)
    assert twentyfold.auroc.low == pytest.approx(once.auroc.low)
    assert twentyfold.auroc.high == pytest.approx(once.auroc.high)
    apart = intervals(scores * 20, labels * 20, [f"picture {i}" for i in range(800)])
    assert apart.auroc.high - apart.auroc.low < (once.auroc.high - once.auroc.low) / 3


def test_agrees_with_drawing_one_by_one() -> None:
    scores, labels, _ = map(np.array, two_bells(80))
    rng = np.random.default_rng(1)
    drawn = (rng.integers(80, size=80) for _ in range(400))
    slow = np.quantile([roc_auc_score(labels[each], scores[each]) for each in drawn], [0.025, 0.975])
    fast = intervals(*two_bells(80), resamples=4000).auroc
    np.testing.assert_allclose([fast.low, fast.high], slow, atol=0.03)


def test_trap_5_every_seed_counts_zero_too() -> None:
    sets = two_bells(50)
    assert intervals(*sets, seed=0) == intervals(*sets, seed=0)
    assert intervals(*sets, seed=0) != intervals(*sets, seed=1)


def test_resamples_without_both_kinds_are_left_out_and_counted() -> None:
    answer = intervals([0, 1], [0, 1], ["good", "bad"], resamples=1000)
    # Half of all draws of two parts hold both kinds.
    assert 400 < answer.resamples < 600
    assert answer.auroc == Interval(1, 1)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = intervals(*two_bells(30))
    monkeypatch.setattr("blemish.evaluation.bootstrap._BLOCK", 100)
    assert intervals(*two_bells(30)) == whole


def test_degenerate_cases_are_answered_in_words() -> None:
    with pytest.raises(DataError, match="at least two groups to draw from; there are 1"):
        intervals([0, 1], [0, 1], ["part", "part"])
    with pytest.raises(DataError, match="2 good and 0 defective"):
        intervals([0, 1], [0, 0], ["a", "b"])
    with pytest.raises(OptionError, match="resamples=0"):
        intervals([0, 1], [0, 1], ["a", "b"], resamples=0)
