"""Which of the good images look like defects: those far out in the tail of the scores of unseen good images."""

import numpy as np

from blemish.arrays import Doubles, Ints

__all__ = ["CUTOFF", "odd_from", "suspect_places", "suspicion"]

CUTOFF = 3.0
"""Suspicion above which an image is a suspect: 1.5 % of good images are, where their scores fall off exponentially."""

BULK = 0.7
"""The tail is measured from the score that seven in ten of the images do not exceed."""


def suspicion(scores_M: Doubles) -> Doubles:
    """How far out in the tail each score lies, in scales of the tail; below 0 it lies in the bulk.

    Above its start a tail is taken to fall off exponentially. Its scale follows from the median of the excesses, which
    stays put while less than half of the tail, 15 % of the images, is defective. Scores may be of any scale, and may
    lie below zero. Where the tail's scores are all equal, every higher one lies infinitely far out.

    Args:
        scores_M: What each image scores by a memory that has not seen it (M, float64).

    Returns:
        One value an image (M, float64), without unit.
    """
    start, median = _tail(scores_M)
    if median is None:
        return np.zeros_like(scores_M)
    return np.asarray((scores_M - start) * np.log(2) / median, np.float64)


def odd_from(scores_M: Doubles, *, cutoff: float = CUTOFF) -> float:
    """The score from which an image is suspicious, by the same rule; infinity where no tail says."""
    start, median = _tail(scores_M)
    return np.inf if median is None else start + cutoff * float(median / np.log(2))


def suspect_places(scores_M: Doubles, *, cutoff: float = CUTOFF) -> Ints:
    """The places of the scores that are suspiciously high, highest first."""
    high = int((suspicion(scores_M) > cutoff).sum())
    return np.asarray(np.argsort(-scores_M, kind="stable")[:high], np.int64)


def _tail(scores_M: Doubles) -> tuple[float, np.float64 | None]:
    """Where the tail of some scores starts, and the median of what its scores lie above that; None without a tail."""
    start = float(np.quantile(scores_M, BULK))
    excess = scores_M[scores_M > start] - start
    return start, np.float64(np.median(excess)) if len(excess) else None
