"""Both error rates at a threshold, counted in parts, and the thresholds that labelled defects would suggest.

A part is judged by its highest image score: it is NG as soon as one of its images is, and missed where none is. Parts
are independent where their images are not, so the intervals (Clopper & Pearson 1934) are exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blemish.arrays import Doubles
from blemish.calibration.held_out import group_scores
from blemish.calibration.promise import Share
from blemish.errors import DataError

__all__ = ["OperatingPoint", "PartScores", "least_cost", "zero_miss"]


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and what it does to good and to defective parts."""

    threshold: float
    false_rejects: Share
    """Good parts above the threshold."""
    misses: Share
    """Defective parts not above it."""


@dataclass(frozen=True)
class PartScores:
    """The highest score of each good and of each defective part."""

    good: Doubles
    defective: Doubles

    @classmethod
    def of(cls, scores: Sequence[float], labels: Sequence[int], groups: Sequence[str]) -> "PartScores":
        """A group that shows both is two parts. Raises DataError unless there are good and defective images."""
        scores_S, defective_S, groups_S = np.asarray(scores, np.float64), np.asarray(labels) == 1, np.asarray(groups)
        if not defective_S.any() or defective_S.all():
            raise DataError(
                f"Operating points need good and defective images; there are {(~defective_S).sum()} good and "
                f"{defective_S.sum()} defective."
            )
        return cls(*(group_scores(scores_S[part], groups_S[part]) for part in (~defective_S, defective_S)))

    def at(self, threshold: float) -> OperatingPoint:
        """Both error rates at a threshold, with 95 % intervals."""
        return OperatingPoint(
            threshold,
            Share.observed(int((self.good > threshold).sum()), len(self.good)),
            Share.observed(int((self.defective <= threshold).sum()), len(self.defective)),
        )


def zero_miss(parts: PartScores) -> OperatingPoint:
    """The highest threshold that misses none of these defective parts: an oracle, chosen by them."""
    return parts.at(float(np.nextafter(parts.defective.min(), -np.inf)))


def least_cost(parts: PartScores, miss_cost: float) -> OperatingPoint:
    """The threshold of least cost, a miss costing as much as `miss_cost` false rejects: an oracle, chosen by them.

    The mix of good and defective parts is the one given: where a line sees r times as many good parts for each
    defective one, divide the cost of a miss by r. Of equal costs, the highest threshold.
    """
    below_all = np.nextafter(parts.defective.min(), -np.inf)
    candidates = np.unique(np.concatenate([[below_all], parts.good, parts.defective]))
    rejected = len(parts.good) - np.searchsorted(np.sort(parts.good), candidates, side="right")
    missed = np.searchsorted(np.sort(parts.defective), candidates, side="right")
    costs = rejected + miss_cost * missed
    return parts.at(float(candidates[np.flatnonzero(costs == costs.min())[-1]]))
