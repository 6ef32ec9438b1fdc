"""PNG: whether all chunks and all rows are there and right, and the pixels.

Source: PNG (Portable Network Graphics) Specification, Third Edition.
"""

import io
import zlib
from collections.abc import Iterator
from functools import partial

from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile

from blemish.images.encoded import Decoded, Encoded, Opened, PixelType, damaged
from blemish.images.formats.colours import wide_colours
from blemish.images.rules import Rules

__all__ = ["opened"]

WIDE = 16
"""Bits of a value; the header tells them in its 25th byte."""

_NEEDED = frozenset({b"IHDR", b"IDAT", b"IEND"})
_INTERLACED = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
"""First row and column of each pass, and the steps down and to the right."""

_UNPACKED = (b"iCCP", b"iTXt", b"tEXt", b"zTXt")
_TURNING = (b"XML:com.adobe.xmp\0", b"Raw profile type ")
"""Keywords of texts that may tell how the camera was held."""

MARK = 1
"""A value that whole rows hardly ever have."""
FEW_CHUNKS, CHUNK_BYTES = 1000, 256
"""A PNG may have so many chunks, and one more for each so many bytes; programs write chunks of 8 KB and more."""


def opened(encoded: Encoded, rules: Rules) -> Opened:
    """The header of a PNG."""
    image = PngImageFile(io.BytesIO(_plain(encoded.data, encoded.name)))
    wide: PixelType | None = "uint16" if encoded.data[24] == WIDE else None
    return Opened.by_pillow(image, partial(_decoded, image, encoded, rules), wide)


def _decoded(image: ImageFile, encoded: Encoded, rules: Rules) -> Decoded:
    if not rules.accept_damaged:
        _check_chunks(encoded.data, encoded.name)
        _check_rows(image, encoded)
    if len(image.getbands()) == 1 or encoded.data[24] != WIDE:
        return Decoded(image)
    # Of 16-bit colours Pillow keeps the upper 8 bits: it finds the file whole, and OpenCV decodes it.
    image.load()
    wide = wide_colours(encoded)
    return Decoded(image, wide[:, :, 0] if image.mode == "LA" else wide)


def _check_chunks(data: bytes, name: str) -> None:
    """Check the sum of every chunk, and that the chunks make one image that ends with the file (section 5)."""
    view, kinds = memoryview(data), list[bytes]()
    for kind, start, end in _chunks(data, name):
        if kinds and kinds[-1] == b"IEND":
            raise damaged(name, "bytes follow the end of the image")
        if zlib.crc32(view[start - 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise damaged(name, f"checksum of chunk {_label(kind)} is wrong")
        if not kinds or not kind == kinds[-1] == b"IDAT":  # pixels may come in several, one behind the other
            kinds.append(kind)
    if not kinds or kinds[-1] != b"IEND":
        raise damaged(name, "the end of the image is missing")
    _check_kinds(kinds, name, palette=data[25] == 3)


def _check_kinds(kinds: list[bytes], name: str, *, palette: bool) -> None:
    """Check that the chunks that no reader may pass over are known, and there once."""
    needed = [kind for kind in kinds if not kind[0] & 0x20]  # their first letter is a capital
    found = frozenset(needed)
    if needed[0] != b"IHDR" or len(found) < len(needed) or not found <= _NEEDED | {b"PLTE"}:
        raise damaged(name, "its chunks do not make one image")
    if not found >= _NEEDED or (palette and b"PLTE" not in found):
        raise damaged(name, "a chunk is missing")


def _check_rows(image: ImageFile, encoded: Encoded) -> None:
    """Check that a PNG that is not decoded yet holds all of its rows.

    Pillow leaves rows that did not come as they were. So the last one is marked before it decodes; only where the marks
    are still there are the bytes counted, which takes as long as decoding. Rows that are interlaced are always counted.
    """
    if not encoded.data[28]:
        bottom, bands = image.height - 1, len(image.getbands())
        image.load_prepare()
        image.im.paste(MARK if bands == 1 else (MARK,) * bands, (0, bottom, image.width, image.height))
        mark = image.im.getpixel((0, bottom))
        image.load()
        if any(image.im.getpixel((x, bottom)) != mark for x in (0, image.width // 2, image.width - 1)):
            return
    inflater, wanted = zlib.decompressobj(), _png_bytes(encoded.data)
    for kind, start, end in _chunks(encoded.data, encoded.name):
        if kind == b"IDAT" and wanted:  # no more than that: a small file may hold gigabytes of zeros
            wanted -= len(inflater.decompress(encoded.data[start:end], wanted))
    if wanted:
        raise damaged(encoded.name, "the last rows of the image are missing")


def _png_bytes(data: bytes) -> int:
    """So many bytes has the image before it is compressed: its rows, each with a byte for its filter."""
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    bits = data[24] * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[data[25]]
    passes = _INTERLACED if data[28] else ((0, 0, 1, 1),)
    sizes = [(-(-(height - top) // down), -(-(width - left) // right)) for top, left, down, right in passes]
    return sum(rows * (1 + -(-columns * bits // 8)) for rows, columns in sizes if rows > 0 and columns > 0)


def _plain(data: bytes, name: str) -> bytes:
    """A PNG without profiles and texts: no pixel depends on them, and Pillow refuses images for large ones.

    Raises ImageError for so many small chunks that they alone would take seconds.
    """
    pieces, at, most = list[bytes](), 0, FEW_CHUNKS + len(data) // CHUNK_BYTES
    for number, (kind, start, end) in enumerate(_chunks(data, name, strict=False)):
        if number >= most:
            raise damaged(name, f"it has more than {most:,} chunks")
        if kind in _UNPACKED and not data.startswith(_TURNING, start):
            pieces.append(data[at : start - 8])
            at = end + 4
    return b"".join([*pieces, data[at:]]) if pieces else data


def _chunks(data: bytes, name: str, *, strict: bool = True) -> Iterator[tuple[bytes, int, int]]:
    """The chunks behind the eight bytes that mark a PNG: the kind of each, and where its content begins and ends."""
    at, size = 8, len(data)
    while at < size:
        start = at + 8
        end = start + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : start]
        at = end + 4
        if at > size and not strict:
            return
        if at > size:
            raise damaged(name, f"chunk {_label(kind)} ends behind the end of the file")
        yield kind, start, end


def _label(kind: bytes) -> str:
    """A chunk's four letters, whatever they are."""
    return kind.decode("ascii", errors="backslashreplace") if kind.isalpha() else kind.hex()
