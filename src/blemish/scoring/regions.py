"""Outline what stands out of a map."""

import cv2
import numpy as np

from blemish.arrays import Bools, Floats
from blemish.result import Box, Region

__all__ = ["find_regions"]


def find_regions(map_HW: Floats, threshold: float, extent: float | None = None) -> tuple[Bools, list[Region]]:
    """Blobs of a map that pass its threshold, highest score first; NaN is never above.

    A blob is connected (8 neighbours) and reaches as far as the map stays above `extent`, by default the threshold;
    as in the hysteresis of Canny's edges (1986), a lower extent adds no blob and outlines more of each.
    """
    extent = threshold if extent is None else extent
    seen_HW = np.isfinite(map_HW)
    mask_HW = np.zeros(map_HW.shape, np.bool_)
    if not np.greater(map_HW, threshold, where=seen_HW, out=mask_HW).any():
        return mask_HW, []
    np.greater(map_HW, extent, where=seen_HW, out=mask_HW)
    count, labels_HW, stats, _ = cv2.connectedComponentsWithStats(mask_HW.astype(np.uint8), connectivity=8)
    regions = []
    for label in range(1, count):
        x, y, width, height, area = (int(value) for value in stats[label])
        part = np.s_[y : y + height, x : x + width]
        inside = labels_HW[part] == label
        score = float(map_HW[part][inside].max())
        if score <= threshold:
            mask_HW[part][inside] = False
            continue
        contours, _ = cv2.findContours(
            inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(x, y)
        )
        outline = [(int(point[0][0]), int(point[0][1])) for point in contours[0]]
        regions.append(Region(Box(x, y, width, height), area, score, outline))
    return mask_HW, sorted(regions, key=lambda region: -region.score)
