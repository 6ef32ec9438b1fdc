"""Netpbm files: whether they hold one image, and values of more than 8 bits as they are written.

Source: netpbm's pbm(5), pgm(5), ppm(5).
"""

import io
import math
import re
from functools import partial

import numpy as np
from PIL.ImageFile import ImageFile
from PIL.PpmImagePlugin import PpmImageFile

from blemish.arrays import Array
from blemish.images.encoded import Decoded, Encoded, Opened, PixelType, damaged, several_pages
from blemish.images.rules import Rules

__all__ = ["opened"]

_GAP = rb"(?:\s|#[^\n]*\n)+"
_HEADER = re.compile(rb"P([2356])" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,5})(?:#[^\n]*\n)?\s")
_BITS = re.compile(rb"P4" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})(?:#[^\n]*\n)?\s")
_NEXT = re.compile(rb"\s*P[1-7]\s")
"""The beginning of another image."""
_SIZE = re.compile(
    rb"P(?:[14]" + 2 * (_GAP + rb"\d+") + rb"|[2356]" + 3 * (_GAP + rb"\d+") + rb"|f" + 3 * (_GAP + rb"\S+") + rb")"
)
_GREY, _TEXT = b"25", b"23"
MOST_HEADER = 8192
"""Bytes that a header may have, with its comments."""


def opened(encoded: Encoded, rules: Rules) -> Opened:
    """The header, which must end before long: Pillow reads it byte by byte."""
    if not _SIZE.match(encoded.data[:MOST_HEADER]):
        raise damaged(encoded.name, "its header is wrong")
    image = PpmImageFile(io.BytesIO(encoded.data))
    wide: PixelType | None = "uint16" if _is_wide(encoded.data) else None
    return Opened.by_pillow(image, partial(_decoded, image, encoded, rules), wide)


def _decoded(image: ImageFile, encoded: Encoded, rules: Rules) -> Decoded:
    if not rules.accept_damaged:
        _check(encoded.data, encoded.name)
    return Decoded(image, _wide_values(encoded.data, encoded.name) if _is_wide(encoded.data) else None)


def _check(data: bytes, name: str) -> None:
    """Check that no value is above what the header allows, and that no other image follows.

    Files of text are checked where they are read.
    """
    if bits := _BITS.match(data[:MOST_HEADER]):
        end = bits.end() + -(-int(bits[1]) // 8) * int(bits[2])
    elif (header := _HEADER.match(data[:MOST_HEADER])) and header[1] not in _TEXT:
        width, height, most = (int(header[group]) for group in (2, 3, 4))
        values = width * height * (1 if header[1] in _GREY else 3)
        end = header.end() + values * (1 if most <= 255 else 2)
        if most < 255 and np.frombuffer(data[header.end() : end], np.uint8).max(initial=0) > most:
            raise damaged(name, f"a value lies above the largest, {most}, that its header allows")
    else:
        return
    if _NEXT.match(data, end):
        raise several_pages(2, name)


def _is_wide(data: bytes) -> bool:
    """Whether values may be above 255, of which Pillow would scale some and cut others."""
    header = _HEADER.match(data[:MOST_HEADER])
    return header is not None and int(header[4]) > 255


def _wide_values(data: bytes, name: str) -> Array:
    """Values of a grey (H x W) or colour (H x W x 3) file as uint16; all must be there."""
    header = _HEADER.match(data[:MOST_HEADER])
    if header is None:
        raise damaged(name, "its header is wrong")
    width, height, most = (int(header[group]) for group in (2, 3, 4))
    shape = (height, width) if header[1] in _GREY else (height, width, 3)
    if header[1] in _TEXT:
        values = np.array(data[header.end() :].split(None, math.prod(shape))[: math.prod(shape)], np.int64)
    else:
        end = len(data) - (len(data) - header.end()) % 2
        values = np.frombuffer(data[header.end() : end], ">u2")
    count = int(np.prod(shape))
    if len(values) < count or not count:
        raise damaged(name, f"{count - len(values)} of its {count} values are missing")
    values = values[:count]
    if most > 65535 or values.min() < 0 or values.max() > most:
        raise damaged(name, f"a value lies above the largest, {most}, that its header allows")
    return values.astype(np.uint16).reshape(shape)
