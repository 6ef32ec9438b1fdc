"""Masks: which pixels of an image are marked."""

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from blemish.arrays import Bools
from blemish.errors import DataError, ImageError
from blemish.images.encoded import Encoded
from blemish.images.opacity import seen_pixels
from blemish.images.read import opened, read_image
from blemish.system.address import Place

__all__ = ["masks_beside", "read_mask"]

JPEG_SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif"}
_ENDING = re.compile(r"[-_. ](mask|masks|gt|ground_truth|label|seg)$", re.IGNORECASE)
"""How the name of a mask goes on behind that of its image."""


def read_mask(path: Place, cut: float = 0.0) -> Bools:
    """Read a mask as H x W, true where any channel is above a share of its brightest value, by default above zero.

    Masks are 1-bit, 8-bit, 16-bit, palette or colour, or are drawn in the opacity: pixels that are wholly transparent
    are not marked, and where all others have one colour, they are the mask.
    Raises DataError for JPEG, whose compression leaves faint pixels around a defect, and ImageError as `read_image`.
    """
    if path.suffix.lower() in JPEG_SUFFIXES:
        raise DataError(f"The mask {path} is a JPEG, whose compression blurs edges; save masks as PNG.")
    name, file = opened(path)
    assert isinstance(file, Encoded), "a path leads to a file"
    values = read_image((name, file.data))
    above = values > cut * values.max()
    marked_HW = np.asarray(above if above.ndim == 2 else above.any(axis=2))
    seen_HW = seen_pixels(file.data)
    if seen_HW is None:
        return marked_HW
    shown = values[seen_HW]
    return seen_HW if (shown == shown[0]).all() else marked_HW & seen_HW


def masks_beside(images: Sequence[Place]) -> set[Place]:
    """Those of the image files that are masks of others: `a.png` beside `a.jpg`, or `a_mask.png` beside `a.png`.

    The name alone is not believed: a mask holds no more than two values, one of them 0 or the highest there is.
    """
    named_alike: dict[tuple[Place, str], list[Place]] = defaultdict(list)
    for path in images:
        named_alike[path.parent, _ENDING.sub("", path.stem).lower()].append(path)
    masks: set[Place] = set()
    for paths in named_alike.values():
        marked = {path for path in paths if len(paths) > 1 and _holds_a_mask(path)}
        masks |= marked if len(marked) < len(paths) else set()
    return masks


def _holds_a_mask(path: Place) -> bool:
    """Whether an image is marked and not taken: of two values at most."""
    if path.suffix.lower() in JPEG_SUFFIXES:
        return False
    try:
        values = read_image(path)
    except ImageError:
        return False
    low, high = values.min(), values.max()
    return bool(low in (0, high) and ((values == low) | (values == high)).all())
