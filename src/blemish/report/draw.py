"""Draw a result over its image, on a colour scale fixed by the model, so that good parts look calm."""

import cv2
import numpy as np

from blemish.arrays import Array, Bytes, Floats
from blemish.images.transform import Transform
from blemish.result import Region, Result

__all__ = ["displayable", "overlay"]

OUTLINE = (255, 40, 40)
UNSEEN = (128, 128, 128)


def displayable(image: Array, transform: Transform) -> Bytes:
    """An image as uint8 RGB, H x W x 3; 16-bit and float values through the model's range."""
    if image.dtype != np.uint8:
        scaled = (image.astype(np.float32) - transform.low) / (transform.high - transform.low)
        image = np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)


def overlay(image_HW3: Bytes, result: Result, map_threshold: float) -> Bytes:
    """Heat over the image from half the map threshold on, full at one and a half of it, regions outlined."""
    drawn = image_HW3.copy()
    if result.anomaly_map is not None:
        drawn = _heat(drawn, result.anomaly_map, map_threshold)
    return _outlines(drawn, result.regions)


def _heat(image_HW3: Bytes, map_HW: Floats, map_threshold: float) -> Bytes:
    seen_HW = np.isfinite(map_HW)
    level_HW = np.clip(np.where(seen_HW, map_HW, 0) / map_threshold - 0.5, 0, 1)
    colours = cv2.applyColorMap(np.rint(level_HW * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[:, :, ::-1]
    weight = (0.6 * level_HW)[:, :, None]
    mixed = image_HW3 * (1 - weight) + colours * weight
    mixed[~seen_HW] = 0.5 * mixed[~seen_HW] + 0.5 * np.array(UNSEEN)
    return np.asarray(np.rint(mixed), np.uint8)


def _outlines(image_HW3: Bytes, regions: list[Region]) -> Bytes:
    drawn = np.ascontiguousarray(image_HW3)
    thickness = max(1, round(max(drawn.shape[:2]) / 250))
    for region in regions:
        cv2.polylines(drawn, [np.array(region.outline, np.int32)], True, OUTLINE, thickness, cv2.LINE_AA)
    return drawn
