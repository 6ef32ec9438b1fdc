"""Pixels of float images that were not measured, and the marks that stand there.

A verdict on what was not seen would be worth nothing. What is usual is told by the good images: a height map whose
part lies on a plate that is never measured lacks much, and always.
"""

from typing import Literal

import numpy as np

from blemish.arrays import Array, Bools
from blemish.errors import ImageError

__all__ = ["NoData", "count_nodata", "measured", "without_nodata"]

NoData = float | Literal["auto"]

CUSTOMARY = (-9999.0, -99999.0, -32768.0, -32767.0, -3.4028234663852886e38, 3.4028234663852886e38, 1e20, -1e10, 1e10)
"""What height maps, thermal cameras and geographic programs write where nothing was measured."""
FAR, CUSTOMARY_FAR = 100.0, 1.0
"""A value is taken for such a mark where it lies so many times the range of all other values away from them."""
REPEATED = 2
"""A mark that is not customary stands on so many pixels at least; a single one may be what was measured."""


def without_nodata(values: Array, name: str, told: float | None, nodata: NoData = "auto") -> Array:
    """Float values (H x W, or H x W x 3) with NaN where nothing was measured.

    `told` is what the file itself says stands there, `nodata` what the user says; "auto" looks for a mark: the lowest
    or highest value, repeated and far from all others. Raises ImageError for infinities, and where nothing is left.
    """
    values = np.where(values == np.float32(told), np.nan, values) if told is not None else values
    if nodata != "auto":
        values = np.where(values == np.float32(nodata), np.nan, values)
    if np.isinf(values).any():
        raise ImageError(
            f"{name} holds NaN or infinite pixels; mend them before inspection, or name the value that stands where "
            f"nothing was measured (nodata)."
        )
    if nodata == "auto" and told is None:
        values = _marks_to_nan(values)
    if np.isnan(values).all():
        raise ImageError(f"{name} holds NaN or infinite pixels; mend them: no pixel was measured.")
    return np.asarray(values, np.float32)


def count_nodata(image: Array) -> int:
    """How many pixels were not measured."""
    known_HW = measured(image)
    return 0 if known_HW is None else int(np.count_nonzero(~known_HW))


def measured(image: Array) -> Bools | None:
    """Which pixels (H x W) were measured; None: all of them."""
    if image.dtype != np.float32:
        return None
    missing = np.isnan(image)
    missing_HW = missing if image.ndim == 2 else missing.any(axis=2)
    return np.asarray(~missing_HW) if missing_HW.any() else None


def _marks_to_nan(values: Array) -> Array:
    """Without the lowest value where it is a mark, and then without the highest."""
    for extreme in (np.nanmin, np.nanmax):
        if np.isnan(values).all():
            return values
        mark = extreme(values)
        marked = values == mark
        rest = values[~marked & ~np.isnan(values)].astype(np.float64)
        if len(rest) and _is_far(float(mark), rest, int(np.count_nonzero(marked))):
            values = np.where(marked, np.nan, values)
    return values


def _is_far(mark: float, rest: Array, count: int) -> bool:
    """Whether a value lies so far from all others that it can be no measurement."""
    low, high = float(rest.min()), float(rest.max())
    gap = max(low - mark, mark - high)
    if any(mark == np.float32(customary) for customary in CUSTOMARY):
        return gap > CUSTOMARY_FAR * (high - low)
    return count >= REPEATED and high > low and gap > FAR * (high - low)
