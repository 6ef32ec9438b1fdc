"""Which images among the good ones look defective: outliers among the scores of held-out good images."""

import numpy as np

from blemish.arrays import Doubles, Ints

__all__ = ["CUTOFF", "outlying", "outlyingness"]

CUTOFF = 3.5
"""The modified z-score above which Iglewicz and Hoaglin (How to Detect and Handle Outliers, 1993) call a value out."""

NORMAL_MAD = 1.4826
"""The standard deviation of a normal law over its median absolute deviation."""


def outlyingness(scores_M: Doubles) -> Doubles:
    """How many robust standard deviations the logarithm of each score lies above the median of all.

    Scores are distances: above zero and skewed, so that their logarithms come closer to the normal law the cutoff is
    made for. Median and median absolute deviation stay put while less than half of the images are defective. Where
    more than half of the scores are equal, every higher one lies infinitely far above.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs_M = np.log(scores_M)
        median = np.median(logs_M)
        above_M = np.where(logs_M == median, 0.0, logs_M - median)
        return np.where(above_M == 0, 0.0, above_M / (NORMAL_MAD * np.median(np.abs(above_M))))


def outlying(scores_M: Doubles, *, cutoff: float = CUTOFF) -> Ints:
    """The places of the scores that are suspiciously high, highest first."""
    high_M = outlyingness(scores_M) > cutoff
    return np.asarray(np.argsort(-scores_M, kind="stable")[: int(high_M.sum())], np.int64)
