"""TIFF: its pixels by whichever decoder gives the file's own values: Pillow, OpenCV, or the strips themselves."""

import io
from functools import partial

import numpy as np
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from blemish.images.encoded import WIDE_GREY, Decoded, Encoded, Opened, PixelType
from blemish.images.exif import TURNED
from blemish.images.formats.colours import wide_colours
from blemish.images.formats.strips import check_supported, not_supported, opencv_gives, own_pixels, pillow_gives
from blemish.images.formats.tiff_kind import FLOAT, WHITE_IS_ZERO, TiffKind, check_tiff, tiff_kind
from blemish.images.rules import Rules

__all__ = ["opened"]


def opened(encoded: Encoded, rules: Rules) -> Opened:
    """The tags of a TIFF's first image. Raises ImageError for tags that make no image."""
    kind = tiff_kind(encoded.data, encoded.name, strict=not rules.accept_damaged)
    sides = (kind.width, kind.height) if kind.orientation in TURNED else (kind.height, kind.width)
    pixels: PixelType = "float32" if kind.sample_format == FLOAT else "uint16" if kind.bits > 8 else "uint8"
    return Opened(*sides, pixels, kind.pages, partial(_decoded, kind, encoded, rules))


def _decoded(kind: TiffKind, encoded: Encoded, rules: Rules) -> Decoded:
    check_supported(kind, encoded.name)
    if not rules.accept_damaged:
        check_tiff(kind, encoded.data, encoded.name)
    return _pixels(kind, encoded)._replace(nodata=_number(kind.nodata))


def _pixels(kind: TiffKind, encoded: Encoded) -> Decoded:
    """The pixels of the only page."""
    if pillow_gives(kind):
        return _by_pillow(kind, encoded)
    if opencv_gives(kind):
        _opened_by_pillow(kind, encoded).load()  # it raises where the file is not whole
        return Decoded(None, wide_colours(encoded))  # OpenCV turns TIFF upright by itself
    values = own_pixels(kind, encoded.data, encoded.name)
    if kind.photometric == WHITE_IS_ZERO and kind.sample_format != FLOAT:
        values = np.asarray(np.iinfo(values.dtype).max - values)
    return Decoded(None, values, kind.orientation)


def _by_pillow(kind: TiffKind, encoded: Encoded) -> Decoded:
    """Pillow turns the image upright where it loads it."""
    image = _opened_by_pillow(kind, encoded)
    image.load()
    if kind.premultiplied and image.getextrema()[-1] != (255, 255):  # Pillow divides colours by their alpha
        raise not_supported(kind, encoded.name)
    # Pillow turns white-is-zero around for 8 bits and less alone.
    if kind.photometric == WHITE_IS_ZERO and image.mode in WIDE_GREY and kind.bits <= 16:
        return Decoded(image, np.asarray((1 << kind.bits) - 1 - np.asarray(image).astype(np.uint16), np.uint16))
    return Decoded(image)


def _opened_by_pillow(kind: TiffKind, encoded: Encoded) -> ImageFile:
    """Its tags were read before: what Pillow does not open then is a kind of pixels that it does not know."""
    try:
        return TiffImageFile(io.BytesIO(encoded.data))
    except SyntaxError:
        raise not_supported(kind, encoded.name) from None


def _number(text: str | None) -> float | None:
    """The value that marks pixels that were not measured, as far as the text is one."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
