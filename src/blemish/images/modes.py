"""From Pillow's modes to pixels, without changing the meaning of their values."""

from typing import Literal

import numpy as np
from PIL import ExifTags, Image, ImageOps

from blemish.arrays import Array
from blemish.errors import ImageError

__all__ = ["PixelType", "orientation", "pixel_type", "pixels_of", "upright"]

PixelType = Literal["uint8", "uint16", "float32"]

_WIDE_GREY = {"I;16", "I;16L", "I;16B", "I;16N", "I"}
_TO_RGB = {"LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV"}


def pixel_type(image: Image.Image) -> PixelType:
    """The type of the pixels that an image becomes."""
    if image.mode in _WIDE_GREY:
        return "uint16"
    return "float32" if image.mode == "F" else "uint8"


def pixels_of(image: Image.Image, name: str) -> Array:
    """Grey (H x W) or RGB (H x W x 3) pixels, upright, of uint8, uint16 or float32; alpha is dropped.

    Raises ImageError for a mode whose values have no place here.
    """
    turned = ImageOps.exif_transpose(image)
    if turned.mode in _WIDE_GREY:
        return _wide_grey(turned, name)
    if turned.mode == "F":
        return np.asarray(turned, np.float32)
    if turned.mode in {"1", "L"}:
        return np.asarray(turned.convert("L"))
    if turned.mode not in _TO_RGB:
        raise ImageError(f"{name} holds {turned.mode} colours, which is not supported; convert it to RGB.")
    return np.asarray(turned.convert("RGB"))


def orientation(image: Image.Image) -> int:
    """How a camera was held, 1 to 8, as EXIF counts."""
    return int(image.getexif().get(ExifTags.Base.Orientation, 1))


def upright(values: Array, orientation: int) -> Array:
    """Apply an EXIF orientation: 2, 4, 5 and 7 mirror as well, 3 turns by half, 5 to 8 by a quarter."""
    if orientation in (5, 6, 7, 8):
        values = np.swapaxes(values, 0, 1)
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    columns = -1 if orientation in (2, 3, 6, 7) else 1
    return np.ascontiguousarray(values[::rows, ::columns])


def _wide_grey(image: Image.Image, name: str) -> Array:
    """Grey values of 16 bits, however Pillow holds them."""
    values = np.asarray(image)
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise ImageError(f"{name} holds 32-bit values beyond 0 to 65535; save it as 16-bit or as float.")
    return values.astype(np.uint16)
