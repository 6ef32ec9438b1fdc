"""What a block of EXIF tags says of how the camera was held, whatever else of it cannot be read.

Source: Exif 2.32, sections 4.6.2 (tags as in TIFF) and 4.6.4 (Orientation).
"""

import re
import struct

__all__ = ["TURNED", "told_orientation"]

TURNED = (5, 6, 7, 8)
"""Orientations that change height and width."""

ORIENTATION = 0x112
HEADER, TAG = 8, 12
"""Bytes of what begins a block, and of a tag: its number, type and count, and its value, or where that lies."""
SHORT = 3
"""The type of 16-bit values."""


def told_orientation(block: bytes) -> int:
    """The orientation, 1 to 8, in a block of tags; 1 where it tells none."""
    block = re.sub(rb"^(Exif\0\0){1,2}", b"", block)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None or len(block) < HEADER:
        return 1
    start = struct.unpack_from(f"{order}I", block, 4)[0]
    count = int.from_bytes(block[start : start + 2], "little" if order == "<" else "big")
    tags = block[start + 2 :][: TAG * count]
    for at in range(0, len(tags) - TAG + 1, TAG):
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tags, at)
        if (tag, kind) == (ORIENTATION, SHORT):
            return int(value)
    return 1
