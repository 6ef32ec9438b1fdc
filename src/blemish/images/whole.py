"""Whether an image file is whole, by what its format says of itself; asked before it is decoded."""

import zlib
from collections.abc import Iterator

from PIL.ImageFile import ImageFile

from blemish.images.encoded import Encoded, damaged
from blemish.images.netpbm import check_netpbm

__all__ = ["check_colours", "check_png", "check_png_rows", "check_whole", "plain_png"]


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


def check_png(data: bytes, name: str) -> None:
    """Check the sum of every chunk, and that the chunks make one image that ends with the file. Raises ImageError.

    Source: PNG (Portable Network Graphics) Specification, Third Edition, section 5.
    """
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


def check_png_rows(image: ImageFile, encoded: Encoded) -> None:
    """Check that a PNG that is not decoded yet holds all of its rows. Raises ImageError.

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


def check_colours(image: ImageFile, name: str) -> None:
    """Check that the palette of an image has the colours that its pixels name. Raises ImageError."""
    if image.mode != "P" or image.palette is None:
        return
    colours = len(image.palette.palette) // len(image.palette.rawmode or image.palette.mode)
    highest = image.getextrema()[1]
    if isinstance(highest, tuple) or highest >= colours:
        raise damaged(name, "a pixel names a colour that is not in its palette")


def plain_png(data: bytes, name: str) -> bytes:
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


def _check_webp(data: bytes, name: str) -> None:
    """Check that a WebP file holds all the bytes that it announces. Raises ImageError."""
    announced = int.from_bytes(data[4:8], "little") + 8
    if len(data) < announced:
        raise damaged(name, f"{announced - len(data)} bytes are missing")


def _check_bmp(data: bytes, name: str) -> None:
    """Check that a BMP holds the bytes and the colours that its headers announce. Raises ImageError."""
    announced, start = (int.from_bytes(data[at : at + 4], "little") for at in (2, 10))
    if announced > len(data) or start > len(data):
        raise damaged(name, f"{announced:,} bytes are announced, and {len(data):,} are there")
    header = int.from_bytes(data[14:18], "little")
    if header < 40:
        return
    size, colours = (int.from_bytes(data[at : at + 4], "little") for at in (34, 46))
    if start + size > len(data) or 14 + header + 4 * colours > start:
        raise damaged(name, "its headers announce more pixels or colours than are there")


def _check_gif(data: bytes, name: str) -> None:
    """Check that the blocks of a GIF lead to its end mark. Raises ImageError. Source: GIF89a, appendix A."""
    at = 13 + _table(data[10])
    while at < len(data) and data[at] != 0x3B:
        if data[at] == 0x21:
            at = _sub_blocks(data, at + 2)
        elif data[at] == 0x2C and at + 9 < len(data):
            at = _sub_blocks(data, at + 11 + _table(data[at + 9]))
        else:
            raise damaged(name, "a block of an unknown kind")
    if at >= len(data):
        raise damaged(name, "the end of the image is missing")


def _table(flags: int) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _sub_blocks(data: bytes, at: int) -> int:
    """Where a sequence of sub-blocks ends."""
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1


def check_whole(encoded: Encoded) -> None:
    """Check what a WebP, GIF, BMP or PNM says of its own length. Raises ImageError."""
    checks = {"WebP": _check_webp, "GIF": _check_gif, "BMP": _check_bmp, "PNM": check_netpbm}
    if check := checks.get(encoded.format):
        check(encoded.data, encoded.name)
