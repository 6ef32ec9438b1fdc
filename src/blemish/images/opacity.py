"""Which pixels of an image file can be seen: inspection drops opacity, but some draw masks and areas in it."""

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from blemish.arrays import Bools
from blemish.images.read import read_image

__all__ = ["seen_pixels"]

FORMATS = ("PNG", "TIFF", "WEBP", "BMP", "GIF")
"""Those that know opacity; of Pillow's other decoders, one starts Ghostscript."""


def seen_pixels(data: bytes) -> Bools | None:
    """Which pixels (H x W, upright) of a sound file are not wholly transparent; None where all are, or none."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        if not image.has_transparency_data:  # as the header says; most masks need no second decoding
            return None
        image.load()
    except (UnidentifiedImageError, OSError):  # a kind of pixels that is read otherwise
        return None
    seen_HW = read_image(image.convert("RGBA").getchannel("A")) > 0
    return None if seen_HW.all() or not seen_HW.any() else np.asarray(seen_HW)
