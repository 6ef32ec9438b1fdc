"""Which of the good images look like defects: those far out in the tail of all, by their scores or by their rows.

Scores are those of unseen good images. Defects of one kind hide each other's: what one fold leaves out of the memory,
another one knows. But together they need rows of the memory that good images do not need, and the coreset says of each
row which image gave it.
"""

import numpy as np

from blemish.arrays import Doubles, Ints

__all__ = ["CUTOFF", "joint_suspicion", "odd_from", "suspect_places", "suspicion"]

CUTOFF = 3.0
"""Suspicion above which an image is a suspect: 1.5 % of good images are, where their scores fall off exponentially."""

ROWS_CUTOFF = 4.0
"""The same for the rows that an image gave to the memory, which also tell of what merely varies: at 3, three times as
many good images were suspects by their rows."""

BULK = 0.7
"""The tail is measured from the score that seven in ten of the images do not exceed."""


def suspicion(scores_M: Doubles, *, least: float = 0.0) -> Doubles:
    """How far out in the tail each score lies, in scales of the tail; below 0 it lies in the bulk.

    Above its start a tail is taken to fall off exponentially. Its scale follows from the median of the excesses, which
    stays put while less than half of the tail, 15 % of the images, is defective. Scores may be of any scale, and may
    lie below zero. Where the tail's scores are all equal, every higher one lies infinitely far out.

    Args:
        scores_M: What each image scores by a memory that has not seen it (M, float64).
        least: The median of the excesses is no smaller; for counts, one.

    Returns:
        One value an image (M, float64), without unit.
    """
    start, median = _tail(scores_M)
    if median is None:
        return np.zeros_like(scores_M)
    return np.asarray((scores_M - start) * np.log(2) / np.maximum(median, least), np.float64)


def joint_suspicion(scores_M: Doubles, rows_M: Doubles) -> Doubles:
    """The suspicion of each image by its score or by its rows, whichever is more; both have the cutoff of scores.

    Args:
        scores_M: What each image scores by a memory that has not seen it (M, float64).
        rows_M: How many rows it gave to the memory (M, float64), NaN where the memory was not fitted on it.

    Returns:
        One value an image (M, float64), without unit.
    """
    by_rows_M, gave_M = np.full(len(rows_M), -np.inf), np.isfinite(rows_M)
    if gave_M.any():
        by_rows_M[gave_M] = suspicion(rows_M[gave_M], least=1.0) * CUTOFF / ROWS_CUTOFF
    return np.asarray(np.maximum(suspicion(scores_M), by_rows_M), np.float64)


def odd_from(scores_M: Doubles, *, cutoff: float = CUTOFF) -> float:
    """The score from which an image is suspicious, by the same rule; infinity where no tail says."""
    start, median = _tail(scores_M)
    return np.inf if median is None else start + cutoff * float(median / np.log(2))


def suspect_places(suspicion_M: Doubles, *, cutoff: float = CUTOFF) -> Ints:
    """The places of the suspects, the most suspicious first."""
    high = int((suspicion_M > cutoff).sum())
    return np.asarray(np.argsort(-suspicion_M, kind="stable")[:high], np.int64)


def _tail(scores_M: Doubles) -> tuple[float, np.float64 | None]:
    """Where the tail of some scores starts, and the median of what its scores lie above that; None without a tail."""
    start = float(np.quantile(scores_M, BULK))
    excess = scores_M[scores_M > start] - start
    return start, np.float64(np.median(excess)) if len(excess) else None
