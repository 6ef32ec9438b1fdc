"""Slow, obvious versions in float64 of what blemish computes fast."""

from collections.abc import Sequence

import cv2
import numpy as np

from blemish.arrays import Bools, Doubles, Floats

Image = tuple[Floats, Bools]


def pixel_auroc(images: Sequence[Image]) -> float:
    """The chance that a defective pixel scores above a good one, ties counting half, pair by pair."""
    good, defective = _split(images)
    above = (defective[:, None] > good).mean()
    return float(above + (defective[:, None] == good).mean() / 2)


def aupro(images: Sequence[Image], limit: float) -> float:
    """The area under the mean overlap with components over the false positive rate, up to `limit`, over `limit`."""
    good, _ = _split(images)
    components = [component for image in images for component in _components(*image)]
    thresholds = np.unique(np.concatenate([good, *components]))[::-1]
    rates = np.array([0.0, *((good >= threshold).mean() for threshold in thresholds)])
    overlaps = np.array([0.0, *(np.mean([(c >= threshold).mean() for c in components]) for threshold in thresholds)])
    area = 0.0
    for x0, x1, y0, y1 in zip(rates, rates[1:], overlaps, overlaps[1:], strict=False):
        if x0 < limit and x1 > x0:
            end = min(x1, limit)
            area += (end - x0) * (y0 + np.interp(end, [x0, x1], [y0, y1])) / 2
    return float(area / limit)


def _split(images: Sequence[Image]) -> tuple[Doubles, Doubles]:
    """The scores of good and of defective pixels that were looked at."""
    scores = np.concatenate([scores.ravel() for scores, _ in images]).astype(np.float64)
    defective = np.concatenate([mask.ravel() for _, mask in images])
    seen = ~np.isnan(scores)
    return scores[seen & ~defective], scores[seen & defective]


def _components(scores: Floats, mask: Bools) -> list[Doubles]:
    """The scores looked at in each 8-connected component of a mask, where there are any."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    found = [scores[labels == label].astype(np.float64) for label in range(1, count)]
    return [each[~np.isnan(each)] for each in found if not np.isnan(each).all()]
