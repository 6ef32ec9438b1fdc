"""Outline what stands out of a map."""

import cv2
import numpy as np

from blemish.arrays import Bools, Floats
from blemish.result import Box, Region

__all__ = ["find_regions"]


def find_regions(map_HW: Floats, threshold: float) -> tuple[Bools, list[Region]]:
    """Connected blobs (8 neighbours) of a map above its threshold, highest score first; NaN is never above."""
    mask_HW = np.greater(map_HW, threshold, where=np.isfinite(map_HW), out=np.zeros(map_HW.shape, np.bool_))
    if not mask_HW.any():
        return mask_HW, []
    count, labels_HW, stats, _ = cv2.connectedComponentsWithStats(mask_HW.astype(np.uint8), connectivity=8)
    regions = []
    for label in range(1, count):
        x, y, width, height, area = (int(value) for value in stats[label])
        part = np.s_[y : y + height, x : x + width]
        inside = labels_HW[part] == label
        contours, _ = cv2.findContours(
            inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(x, y)
        )
        outline = [(int(point[0][0]), int(point[0][1])) for point in contours[0]]
        regions.append(Region(Box(x, y, width, height), area, float(map_HW[part][inside].max()), outline))
    return mask_HW, sorted(regions, key=lambda region: -region.score)
