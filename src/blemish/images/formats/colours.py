"""16-bit colours, of which Pillow would keep the upper 8 bits, by OpenCV."""

import cv2
import numpy as np

from blemish.arrays import Array
from blemish.errors import ImageError
from blemish.images.encoded import Encoded

__all__ = ["wide_colours"]


def wide_colours(encoded: Encoded) -> Array:
    """RGB values (H x W x 3, uint16) of a PNG or TIFF. Raises ImageError where OpenCV gives others."""
    values = cv2.imdecode(np.frombuffer(encoded.data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        raise ImageError(
            f"{encoded.name} holds 16-bit colours in a form that is not supported; convert it to a plain PNG."
        )
    return np.ascontiguousarray(values[:, :, 2::-1])
