"""Whether an image file is whole, by what its format says of itself; asked before it is decoded."""

import zlib
from collections.abc import Iterator
from typing import NamedTuple

from blemish.images.encoded import Encoded, damaged

__all__ = ["check_png", "check_whole"]


class _Chunk(NamedTuple):
    kind: bytes
    start: int
    """Of its content, in bytes from the beginning of the file."""
    end: int


def check_png(data: bytes, name: str) -> None:
    """Check the sum of every chunk, and that the last one ends the file. Raises ImageError.

    Source: PNG (Portable Network Graphics) Specification, Third Edition, section 5.
    """
    view, last = memoryview(data), b""
    for chunk in _chunks(data, name):
        if last == b"IEND":
            raise damaged(name, "bytes follow the end of the image")
        found = zlib.crc32(view[chunk.start - 4 : chunk.end])
        if found != int.from_bytes(data[chunk.end : chunk.end + 4], "big"):
            raise damaged(name, f"checksum of chunk {_label(chunk.kind)} is wrong")
        last = chunk.kind
    if last != b"IEND":
        raise damaged(name, "the end of the image is missing")


def _chunks(data: bytes, name: str) -> Iterator[_Chunk]:
    """The chunks behind the eight bytes that mark a PNG."""
    at = 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        chunk = _Chunk(data[at + 4 : at + 8], at + 8, at + 8 + length)
        at = chunk.end + 4
        if at > len(data):
            raise damaged(name, f"chunk {_label(chunk.kind)} ends behind the end of the file")
        yield chunk


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
    """Check what a WebP, GIF or BMP says of its own length. Raises ImageError."""
    checks = {"WebP": _check_webp, "GIF": _check_gif, "BMP": _check_bmp}
    if check := checks.get(encoded.format):
        check(encoded.data, encoded.name)
