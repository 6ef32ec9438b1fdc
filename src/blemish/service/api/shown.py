"""Pictures as they came, or as any browser shows them: none shows TIFF, PNM or JPEG 2000, nor what is in 16 bits."""

import cv2
import numpy as np
from fastapi import Response

from blemish.arrays import Array, Bytes
from blemish.errors import ImageError
from blemish.images.read import read_image
from blemish.images.rules import Bounds, Rules
from blemish.service.store.pictures import MEDIA

__all__ = ["picture_answer"]

BROWSERS = {".jpg", ".png", ".bmp", ".webp", ".gif"}
DEPTH = 24
"""Where a PNG says how many bits a value has."""
MOST_PIXELS = 1 << 26
"""Of a picture that is decoded to be shown."""
SAMPLED = 1 << 20
"""Values by which a wide range is brought to eight bits; which shares may be cut at its ends, in percent, is CUT."""
CUT = (0.1, 99.9)


def picture_answer(data: bytes, suffix: str, name: str, *, shown: bool) -> Response:
    """The answer that holds a picture; where it is to be shown, one that a browser can show, if it can be decoded."""
    if shown and not _is_shown(data, suffix):
        data, suffix = _eight_bits(data, suffix)
    return Response(
        data, media_type=MEDIA[suffix], headers={"Content-Disposition": f'inline; filename="{name}{suffix}"'}
    )


def _is_shown(data: bytes, suffix: str) -> bool:
    return suffix in BROWSERS and not (suffix == ".png" and data[DEPTH : DEPTH + 1] == b"\x10")


def _eight_bits(data: bytes, suffix: str) -> tuple[bytes, str]:
    """A picture as a JPEG, upright as it is judged; as it came where it cannot be decoded."""
    try:
        image = read_image(data, rules=Rules(Bounds(pixels=MOST_PIXELS)))
    except ImageError:
        return data, suffix
    plain = image if image.dtype == np.uint8 else _stretched(image)
    plain = cv2.cvtColor(plain, cv2.COLOR_RGB2BGR) if plain.ndim == 3 else plain
    return cv2.imencode(".jpg", plain, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes(), ".jpg"


def _stretched(image: Array) -> Bytes:
    """Wide values over the range that a picture uses: 12 bits within 16 would be nearly black."""
    wide = image.astype(np.float32)
    known = wide[:: 1 + image.size // SAMPLED]
    known = known[np.isfinite(known)]
    low, high = np.percentile(known, CUT) if known.size else (0.0, 1.0)
    grey = np.nan_to_num((wide - low) * (255 / max(high - low, 1e-6)))
    return np.rint(np.clip(grey, 0, 255)).astype(np.uint8)
