"""Intervals of pixel AUROC: answers one can see, then whole images drawn again and again."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from blemish.arrays import Bools, Floats
from blemish.errors import DataError
from blemish.evaluation.pixel_intervals import PixelGroups


def images(count: int) -> list[tuple[str, Floats, Bools]]:
    random = np.random.default_rng(0)
    found = []
    for number in range(count):
        mask = random.random((6, 7)) < 0.3
        scores = (1 + random.random((6, 7)) + mask * random.random()).astype(np.float32)
        found.append((f"group {number // 2}", scores, mask))
    return found


def test_equals_drawing_the_images_themselves() -> None:
    pairs, groups = images(12), PixelGroups()
    for group, scores, mask in pairs:
        groups.add(group, scores, mask)
    found = groups.interval(resamples=500, level=0.9)
    random, drawn = np.random.default_rng(1), []
    for _ in range(500):
        chosen = [2 * group + i for group in random.integers(0, 6, 6) for i in (0, 1)]
        scores = np.concatenate([pairs[i][1].ravel() for i in chosen])
        drawn.append(roc_auc_score(np.concatenate([pairs[i][2].ravel() for i in chosen]), scores))
    np.testing.assert_allclose((found.low, found.high), np.quantile(drawn, [0.05, 0.95]), atol=0.02)


def test_perfect_separation_has_no_width_and_nan_is_left_out() -> None:
    groups = PixelGroups()
    mask = np.array([[True, False, True]])
    for name in "abc":
        groups.add(name, np.array([[2, 1, np.nan]], np.float32), mask)
    found = groups.interval(resamples=50)
    assert (found.low, found.high) == (1, 1)


def test_what_cannot_be_drawn_is_told() -> None:
    groups = PixelGroups()
    groups.add("a", np.ones((1, 2), np.float32), np.array([[True, False]]))
    with pytest.raises(DataError, match="at least two groups"):
        groups.interval()
    groups = PixelGroups()
    for name in "ab":
        groups.add(name, np.ones((1, 2), np.float32), np.array([[True, True]]))
    with pytest.raises(DataError, match="None of 9 resamples held both"):
        groups.interval(resamples=9)
