"""Masks: which pixels of an image are marked."""

from pathlib import Path

import numpy as np

from blemish.arrays import Bools
from blemish.errors import DataError
from blemish.images.read import read_image

__all__ = ["read_mask"]


def read_mask(path: Path, cut: float = 0.0) -> Bools:
    """Read a mask as H x W, true where any channel is above a share of its brightest value, by default above zero.

    Masks are 1-bit, 8-bit, 16-bit, palette or colour.
    Raises DataError for JPEG, whose compression leaves faint pixels around a defect, and ImageError as `read_image`.
    """
    if path.suffix.lower() in {".jpg", ".jpeg"}:
        raise DataError(f"The mask {path} is a JPEG, whose compression blurs edges; save masks as PNG.")
    values = read_image(path)
    above = values > cut * values.max()
    return np.asarray(above if above.ndim == 2 else above.any(axis=2))
