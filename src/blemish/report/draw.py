"""Draw a result over its image, on a colour scale fixed by the model, so that good parts look calm."""

import cv2
import numpy as np

from blemish.arrays import Array, Bytes, Floats
from blemish.images.transform import Transform
from blemish.result import Region, Result

__all__ = ["OUTLINE", "UNSEEN", "displayable", "outlined", "overlay"]

FAINT, FULL = 0.75, 1.5
"""Shares of the map threshold at which heat begins and is full: the map of a good part stays mostly below."""
YELLOW, RED = np.array([255, 220, 0]), np.array([230, 0, 0])
OUTLINE = (0, 210, 255)
BAND = 256
"""Rows coloured at a time: the colours of a large image would take a gigabyte."""
UNSEEN = (128, 128, 128)


def displayable(image: Array, transform: Transform) -> Bytes:
    """An image as uint8 RGB, H x W x 3; 16-bit and float values through the model's range."""
    if image.dtype != np.uint8:
        scaled = (image.astype(np.float32) - transform.low) / (transform.high - transform.low)
        image = np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)


def overlay(image_HW3: Bytes, result: Result, map_threshold: float) -> Bytes:
    """Heat over the image, yellow to red, from three quarters of the map threshold on, and regions outlined."""
    drawn = image_HW3.copy()
    if result.anomaly_map is not None:
        for top in range(0, len(drawn), BAND):
            rows = slice(top, top + BAND)
            drawn[rows] = _heat(drawn[rows], result.anomaly_map[rows], map_threshold)
    return outlined(drawn, result.regions)


def _heat(image_HW3: Bytes, map_HW: Floats, map_threshold: float) -> Bytes:
    seen_HW = np.isfinite(map_HW)
    # Good images that are all alike have a threshold of 0; then whatever deviates is at full heat.
    share_HW = np.where(seen_HW, map_HW, 0) / max(map_threshold, 1e-6)
    level = np.clip((share_HW - FAINT) / (FULL - FAINT), 0, 1)[:, :, None]
    colours = YELLOW * (1 - level) + RED * level
    weight = 0.65 * np.sqrt(level)
    mixed = image_HW3 * (1 - weight) + colours * weight
    mixed[~seen_HW] = 0.5 * mixed[~seen_HW] + 0.5 * np.array(UNSEEN)
    return np.asarray(np.rint(mixed), np.uint8)


def outlined(image_HW3: Bytes, regions: list[Region]) -> Bytes:
    """The image with its regions outlined."""
    drawn = image_HW3.copy()
    thickness = max(1, round(max(drawn.shape[:2]) / 250))
    for region in regions:
        cv2.polylines(drawn, [np.array(region.outline, np.int32)], True, OUTLINE, thickness, cv2.LINE_AA)
    return drawn
