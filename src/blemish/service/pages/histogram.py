"""Scores of unseen good parts as bars, with the threshold among them, for plain SVG: the pages allow no style in it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["histogram"]

BARS, WIDE, HIGH = 48, 480, 96


def histogram(scores: Sequence[float], threshold: float | None) -> dict[str, Any] | None:
    """Bars as (x, y, width, height), where the threshold stands, and the ends of the axis; None without scores."""
    if not scores or threshold is None:
        return None
    low, high = min(scores), max([*scores, threshold])
    room = (high - low) * 0.06 or 1.0
    low, high = low - room, high + room
    counts, _ = np.histogram(scores, bins=BARS, range=(low, high))
    width, tallest = WIDE / BARS, max(1, int(counts.max()))
    bars = [
        (
            round(place * width + 0.5, 1),
            round(HIGH * (1 - count / tallest), 1),
            width - 1,
            round(HIGH * count / tallest, 1),
        )
        for place, count in enumerate(counts.tolist())
        if count
    ]
    at = round(WIDE * (threshold - low) / (high - low), 1)
    return {"bars": bars, "at": at, "low": low, "high": high, "wide": WIDE, "tall": HIGH, "count": len(scores)}
