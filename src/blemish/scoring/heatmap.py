"""From patch scores on the grid to a smooth map of the network's input."""

import cv2
import numpy as np

from blemish.arrays import Bools, Floats

__all__ = ["anomaly_map", "spread"]


def spread(scores_Q: Floats, seen_hw: Bools) -> Floats:
    """Lay the scores of the cells that count on their grid (h x w); each other cell repeats its nearest one's."""
    if seen_hw.all():
        return scores_Q.reshape(seen_hw.shape)
    _, nearest_hw = cv2.distanceTransformWithLabels(
        (~seen_hw).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    score_of = np.zeros(int(nearest_hw.max()) + 1, np.float32)
    score_of[nearest_hw[seen_hw]] = scores_Q
    return np.asarray(score_of[nearest_hw])


def anomaly_map(scores_hw: Floats, height: int, width: int, sigma: float) -> Floats:
    """Resize patch scores bilinearly to height x width and blur them (PatchCore, section 3.3; sigma in pixels)."""
    resized = cv2.resize(scores_hw, (width, height), interpolation=cv2.INTER_LINEAR)
    if sigma > 0:
        reach = 2 * int(4 * sigma + 0.5) + 1
        resized = cv2.GaussianBlur(resized, (reach, reach), sigma, borderType=cv2.BORDER_REFLECT)
    return np.asarray(resized, np.float32)
