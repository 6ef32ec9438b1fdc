"""How far image metrics would move with other parts: percentile bootstrap over groups.

Pictures of one part are not independent, so whole groups are drawn, not images (Efron & Tibshirani 1993, chapters 8
and 13). R resamples, S samples, G groups.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from blemish.arrays import Array, Doubles
from blemish.errors import DataError, OptionError
from blemish.evaluation.metrics import sweep

__all__ = ["Interval", "Intervals", "draw_groups", "intervals"]

_BLOCK = 2_000_000
"""Weights held at once, so that many images and resamples still fit in some 100 MB."""


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`."""

    low: float
    high: float


@dataclass(frozen=True)
class Intervals:
    """Where each metric lies in the stated share of resamples."""

    auroc: Interval
    average_precision: Interval
    f1_max: Interval
    level: float
    resamples: int
    """Those that held both good and defective images; in the others no metric is defined."""


def intervals(
    scores: Array | Sequence[float],
    labels: Array | Sequence[int],
    groups: Sequence[str],
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Intervals:
    """Percentile intervals of AUROC, average precision and best F1 over resampled groups.

    `groups` names each sample's group. Raises DataError as `sweep`, and where fewer than two groups could be drawn.
    """
    if resamples < 1 or not 0 < level < 1:
        raise OptionError(f"resamples={resamples}, level={level}: wanted at least 1 and a share between 0 and 1.")
    if len(set(groups)) < 2:
        raise DataError(f"Intervals need at least two groups to draw from; there are {len(set(groups))}.")
    rng = np.random.default_rng(seed)
    measured = []
    for weights_RS in draw_groups(groups, resamples, rng, max(1, _BLOCK // len(groups))):
        swept = sweep(scores, labels, weights_RS)
        measured.append(np.stack([swept.auroc_R(), swept.average_precision_R(), swept.f1_RU().max(axis=1)]))
    values_3R = np.concatenate(measured, axis=1)
    values_3R = values_3R[:, ~np.isnan(values_3R[0])]
    if values_3R.shape[1] == 0:
        raise DataError(f"None of {resamples} resamples held both good and defective images; draw more.")
    tail = (1 - level) / 2
    low_3, high_3 = np.quantile(values_3R, [tail, 1 - tail], axis=1)
    auroc, precision, f1 = (Interval(float(low), float(high)) for low, high in zip(low_3, high_3, strict=True))
    return Intervals(auroc, precision, f1, level, values_3R.shape[1])


def draw_groups(groups: Sequence[str], resamples: int, rng: np.random.Generator, rows: int) -> Iterator[Doubles]:
    """How often each sample was drawn in each resample (R x S), at most `rows` resamples at a time."""
    names, group_of_S = np.unique(np.asarray(groups), return_inverse=True)
    chances_G = np.full(names.size, 1 / names.size)
    for start in range(0, resamples, rows):
        drawn_RG = rng.multinomial(names.size, chances_G, size=min(rows, resamples - start))
        yield drawn_RG[:, group_of_S].astype(np.float64)
