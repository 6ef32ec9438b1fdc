"""From patch scores on the grid to a smooth map of the network's input."""

import cv2
import numpy as np

from blemish.arrays import Floats

__all__ = ["anomaly_map", "spread"]


def spread(scores_Q: Floats, window: tuple[slice, slice], grid: tuple[int, int]) -> Floats:
    """Lay the scores of a window's patches on their grid (h x w); padding repeats its nearest patch's score."""
    rows, columns = window
    seen = scores_Q.reshape(rows.stop - rows.start, columns.stop - columns.start)
    around = (rows.start, grid[0] - rows.stop), (columns.start, grid[1] - columns.stop)
    return np.pad(seen, around, mode="edge")


def anomaly_map(scores_hw: Floats, height: int, width: int, sigma: float) -> Floats:
    """Resize patch scores bilinearly to height x width and blur them (PatchCore, section 3.3; sigma in pixels)."""
    resized = cv2.resize(scores_hw, (width, height), interpolation=cv2.INTER_LINEAR)
    if sigma > 0:
        reach = 2 * int(4 * sigma + 0.5) + 1
        resized = cv2.GaussianBlur(resized, (reach, reach), sigma, borderType=cv2.BORDER_REFLECT)
    return np.asarray(resized, np.float32)
