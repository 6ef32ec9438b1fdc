"""Arrays that users hold, checked and brought into one order of colours."""

from typing import Literal

import numpy as np

from blemish.arrays import Array
from blemish.errors import ImageError
from blemish.images.nodata import NoData, without_nodata

__all__ = ["UNNAMED", "Channels", "pixels_of_array"]

Channels = Literal["RGB", "BGR"]

UNNAMED = "<array>"
"""What an array is called that came without a name."""


def pixels_of_array(array: Array, name: str, channels: Channels, nodata: NoData) -> Array:
    """Check shape and type of an array, and bring its colours into RGB order. Raises ImageError."""
    shape = "x".join(map(str, array.shape))
    what = "An array" if name == UNNAMED else f"{name}, an array"
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        raise ImageError(f"{what} of shape {shape} has its channels first; pass height x width x channels.")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(f"{what} of shape {shape} is no image; pass height x width, or height x width x 1, 3 or 4.")
    if array.size == 0:
        raise ImageError(f"{what} of shape {shape} holds no pixels.")
    if not array.dtype.isnative and array.dtype.kind in "uif":
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype in (np.float64, np.float16):
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused below
            array = array.astype(np.float32)
    if array.dtype not in (np.uint8, np.uint16, np.float32):
        raise ImageError(f"{what} of {array.dtype} is no image; convert it to uint8, uint16 or float32.")
    if array.dtype == np.float32:
        array = without_nodata(array, "The array" if name == UNNAMED else name, None, nodata)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 3:
        array = array[:, :, :3] if channels == "RGB" else array[:, :, 2::-1]
    return np.ascontiguousarray(array)
