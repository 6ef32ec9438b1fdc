"""Both error rates in parts, and the thresholds that defects would choose, against every threshold there is."""

import numpy as np
import pytest

from blemish.errors import DataError
from blemish.evaluation.operating import PartScores, least_cost, zero_miss


def test_parts_score_as_their_worst_image() -> None:
    parts = PartScores.of([1, 5, 2, 9, 3], [0, 0, 0, 1, 1], ["a", "a", "b", "a", "a"])
    assert (sorted(parts.good), sorted(parts.defective)) == ([2, 5], [9])
    with pytest.raises(DataError, match="there are 2 good and 0 defective"):
        PartScores.of([1, 2], [0, 0], ["a", "b"])


def test_rates_at_a_threshold() -> None:
    parts = PartScores(np.array([1.0, 2, 3, 4]), np.array([3.0, 5, 6]))
    point = parts.at(3)
    assert (point.false_rejects.count, point.misses.count) == (1, 1)
    assert (point.false_rejects.rate, point.misses.rate) == (0.25, 1 / 3)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("miss_cost", [0.0, 0.5, 10.0, 1e6])
def test_the_oracles_by_trying_every_threshold(seed: int, miss_cost: float) -> None:
    random = np.random.default_rng(seed)
    parts = PartScores(random.integers(0, 30, 40).astype(float), random.integers(10, 40, 25).astype(float))
    tried = [parts.at(threshold) for threshold in np.arange(-0.5, 41, 0.5)]
    costs = [point.false_rejects.count + miss_cost * point.misses.count for point in tried]
    best = least_cost(parts, miss_cost)
    assert best.false_rejects.count + miss_cost * best.misses.count == min(costs)
    nothing = zero_miss(parts)
    assert nothing.misses.count == 0
    assert nothing.false_rejects.count == min(p.false_rejects.count for p in tried if p.misses.count == 0)
