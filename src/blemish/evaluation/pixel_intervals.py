"""How far pooled pixel AUROC would move with other parts or clips: percentile bootstrap over groups (bootstrap.py).

The interval is approximate: scores are told apart to 1 part in 512, so that the counts of each group fit in memory.
R resamples, G groups, U distinct coarse scores.
"""

import numpy as np

from blemish.arrays import Bools, Doubles, Floats
from blemish.errors import DataError
from blemish.evaluation.bootstrap import Interval, draw_groups
from blemish.evaluation.metrics import Sweep
from blemish.evaluation.pixels import ordered_keys

__all__ = ["PixelGroups"]

COARSE = 14
"""Bits of a key that are dropped; 9 of a float's mantissa stay."""
AT_ONCE = 2_000_000
"""Resampled counts held at once."""


class PixelGroups:
    """Takes anomaly maps with their masks and groups one by one, then answers for resampled groups."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, bool, Doubles, Doubles]] = []

    def add(self, group: str, anomaly_map: Floats, mask: Bools) -> None:
        """Take one image: H x W scores, NaN where it was not looked at, and its mask, true where defective."""
        seen = ~np.isnan(anomaly_map)
        keys = ordered_keys(anomaly_map) >> np.uint32(COARSE)
        for defective in (False, True):
            coarse_U, counts_U = np.unique(keys[seen & (mask == defective)], return_counts=True)
            self._parts.append((group, defective, coarse_U.astype(np.float64), counts_U.astype(np.float64)))

    def interval(self, *, resamples: int = 1000, level: float = 0.95, seed: int = 0) -> Interval:
        """Where pixel AUROC lies in that share of resamples. Raises DataError where none of them can be measured."""
        groups = sorted({group for group, _, _, _ in self._parts})
        if len(groups) < 2:
            raise DataError(f"Intervals need at least two groups to draw from; there are {len(groups)}.")
        coarse_U = np.unique(np.concatenate([coarse for _, _, coarse, _ in self._parts]))[::-1]
        counts_2GU = np.zeros((2, len(groups), coarse_U.size))
        for group, defective, coarse, counts in self._parts:
            columns = coarse_U.size - 1 - np.searchsorted(coarse_U[::-1], coarse)
            counts_2GU[int(defective), groups.index(group), columns] += counts
        rows = max(1, AT_ONCE // max(1, coarse_U.size))
        drawn = draw_groups(groups, resamples, np.random.default_rng(seed), rows)
        values_R = np.concatenate(
            [Sweep(coarse_U, weights @ counts_2GU[0], weights @ counts_2GU[1]).auroc_R() for weights in drawn]
        )
        values_R = values_R[~np.isnan(values_R)]
        if values_R.size == 0:
            raise DataError(f"None of {resamples} resamples held both good and defective pixels; draw more.")
        low, high = np.quantile(values_R, [(1 - level) / 2, (1 + level) / 2])
        return Interval(float(low), float(high))
