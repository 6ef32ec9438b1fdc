"""JPEG: whether the scans of a file describe all of its image, and the pixels.

A decoder shows what the scans so far describe and warns of nothing: a progressive image without its last scans is
blurred, one whose colours come in scans of their own is grey. Source: ITU-T T.81, annexes B and G.
"""

import io
import re
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import simplejpeg
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from blemish.errors import ImageError
from blemish.images.encoded import Decoded, Encoded, Opened, damaged
from blemish.images.rules import Rules

__all__ = ["opened"]

_BASELINE, _PROGRESSIVE = frozenset({0xC0, 0xC1, 0xC9}), frozenset({0xC2, 0xCA})
"""Marks of frames whose scans hold all of their channels' detail, and of those whose scans refine it."""
_LOSSLESS = frozenset({0xC3, 0xCB})
_FRAMES = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
"""Marks of all frames: hierarchical ones and JPEG-LS too. Three of the row are tables."""
_START_OF_SCAN, _END = 0xDA, 0xD9
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Marks without a length behind them."""
_COEFFICIENTS = 64
"""Of a block of 8 x 8 pixels."""
_MARK = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""A mark among the coded pixels that is neither one of their own bytes nor a restart."""

_FILLING = re.compile(rb"\xff+")
MOST_SEGMENTS, MOST_FILLING = 8192, 4096
"""More segments, or filling bytes in a row, are no photograph: to read them would take seconds."""


class _Segment(NamedTuple):
    mark: int
    content: bytes


def opened(encoded: Encoded, rules: Rules) -> Opened:
    """The header of a JPEG."""
    _check_head(encoded.data, encoded.name)
    image = JpegImageFile(io.BytesIO(encoded.data))
    return Opened.by_pillow(image, partial(_decoded, image, encoded, rules))


def _decoded(image: ImageFile, encoded: Encoded, rules: Rules) -> Decoded:
    """The pixels Pillow would give, to the bit, by a decoder that does not pass over what libjpeg warns of."""
    space = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}[image.mode]
    # What is missing of a damaged file is black, not what lay in memory there before.
    shape = image.height, image.width, len(image.getbands())
    room = np.zeros(shape, np.uint8) if rules.accept_damaged else None
    try:
        values = simplejpeg.decode_jpeg(encoded.data, space, strict=not rules.accept_damaged, buffer=room)
    except ValueError as error:
        if "subsampling level" in str(error):
            raise ImageError(
                f"{encoded.name} is a JPEG of an unusual subsampling, which is not supported; convert it to PNG, or "
                f"save it with 4:4:4, 4:2:2 or 4:2:0."
            ) from None
        if rules.accept_damaged:  # a header with stray bytes simplejpeg gives up even so
            return Decoded(image)
        raise damaged(encoded.name, str(error)) from None
    if not rules.accept_damaged:
        _check_scans(encoded.data, encoded.name)
    if space == "CMYK":  # Pillow knows how they become RGB
        return Decoded(image)
    return Decoded(image, values[:, :, 0] if space == "GRAY" else values)


def _check_head(data: bytes, name: str) -> None:
    """Check that the frame comes before long (Pillow reads all parts before it), and is of a kind that is read."""
    for number, segment in enumerate(_segments(data)):
        if segment.mark in _FRAMES:
            if segment.mark in _BASELINE | _PROGRESSIVE | _LOSSLESS and segment.content[:1] == b"\x08":
                return
            raise ImageError(
                f"{name} is a JPEG of a kind that is not supported (8 bits a value are read, neither JPEG-LS nor "
                f"hierarchical); convert it to PNG or TIFF."
            )
        if number >= MOST_SEGMENTS:
            raise damaged(name, f"it has more than {MOST_SEGMENTS:,} segments")
    if data[2 : 2 + MOST_FILLING].count(b"\xff") == MOST_FILLING:
        raise damaged(name, "its header is wrong")


def _check_scans(data: bytes, name: str) -> None:
    """Check that every channel has all of its detail, and no scan is missing."""
    channels: bytes = b""
    progressive = False
    missing: set[tuple[int, int]] = set()
    for number, segment in enumerate(_segments(data)):
        if number >= MOST_SEGMENTS:
            raise damaged(name, f"it has more than {MOST_SEGMENTS:,} segments")
        if segment.mark in _BASELINE | _PROGRESSIVE:
            channels, progressive = segment.content[6::3], segment.mark in _PROGRESSIVE
            missing = {(channel, at) for channel in channels for at in range(_COEFFICIENTS if progressive else 1)}
        elif segment.mark == _START_OF_SCAN:
            missing -= _completed(segment.content, progressive)
            if channels and not missing:
                return
    if missing:
        raise damaged(name, "the last scans, with the finer detail or the colours, are missing")


def _completed(scan: bytes, progressive: bool) -> set[tuple[int, int]]:
    """The coefficients, by channel, that are complete with this scan: those of which it brings the last bit."""
    count = scan[0]
    first, last, bits = scan[1 + 2 * count : 4 + 2 * count]
    if not progressive:
        first, last, bits = 0, 0, 0
    elif bits & 15:
        return set()
    return {(channel, at) for channel in scan[1 : 1 + 2 * count : 2] for at in range(first, last + 1)}


def _segments(data: bytes) -> Iterator[_Segment]:
    """The segments up to the end of the image; coded pixels are passed over."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _END:
        mark = data[at + 1]
        if mark in _ALONE:
            at += 2
            continue
        if mark == 0xFF:
            filling = _FILLING.match(data, at, at + MOST_FILLING)
            at = filling.end() - 1 if filling else at + 1
            if data[at : at + 2] == b"\xff\xff":  # more than any program writes
                return
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield _Segment(mark, data[at + 4 : end])
        at = end
        if mark == _START_OF_SCAN:
            behind = _MARK.search(data, at)
            at = behind.start() if behind else len(data)
