"""From the maps of several looks to one, all brought to the scale of good images."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from blemish.arrays import Floats

__all__ = ["join_maps"]


def join_maps(
    maps: Sequence[Floats], scales: Sequence[tuple[float, float]], rule: Literal["soft", "largest", "mean"]
) -> Floats:
    """One map (H x W) from those of the looks, each less the mean of its scale and over its deviation.

    `scales` are mean and deviation of the peaks of good images that the look has not seen. The rule "soft" is the
    logarithm of the sum of exponentials: where one look alone stands out it is that look's value, where several do it
    is a little more. A single map with the scale (0, 1) stays as it is.
    """
    if len(maps) == 1:
        return maps[0] if scales[0] == (0.0, 1.0) else _scaled(maps[0], *scales[0])
    scaled_LHW = np.stack([_scaled(map_HW, *scale) for map_HW, scale in zip(maps, scales, strict=True)])
    if rule == "mean":
        return np.asarray(scaled_LHW.mean(axis=0, dtype=np.float32))
    largest_HW = scaled_LHW.max(axis=0)
    if rule == "largest":
        return np.asarray(largest_HW)
    scaled_LHW -= largest_HW  # no exponential can overflow
    np.exp(scaled_LHW, out=scaled_LHW)
    return np.asarray(largest_HW + np.log(scaled_LHW.sum(axis=0)), np.float32)


def _scaled(map_HW: Floats, mean: float, deviation: float) -> Floats:
    return np.asarray((map_HW - np.float32(mean)) / np.float32(deviation), np.float32)
