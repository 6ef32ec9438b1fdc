"""One image file as bytes: read once, of a known format, and not too large.

All this is asked before anything is decoded, so that what is checked is what is decoded.
"""

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from blemish.errors import ImageError

__all__ = [
    "Bounds",
    "Encoded",
    "Format",
    "check_jpeg_2000",
    "damaged",
    "encoded_file",
    "several_pages",
    "webp_size",
]

Format = Literal["JPEG", "PNG", "TIFF", "BMP", "PNM", "WebP", "GIF", "JPEG 2000"]

_STARTS: dict[bytes, Format] = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"BM": "BMP",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    **{b"P" + kind: "PNM" for kind in (b"1", b"2", b"3", b"4", b"5", b"6", b"f")},
}
"""How the files that are read begin. Nothing else ever meets a decoder, whatever the file is called."""

_OTHERS = {
    b"%!PS": "a PostScript file",
    b"\xc5\xd0\xd3\xc6": "a PostScript file",
    b"%PDF": "a PDF",
    b"8BPS": "a Photoshop file",
    b"DDS ": "a DDS texture",
    b"\x76\x2f\x31\x01": "an OpenEXR image",
    b"#?RADIANCE": "a Radiance image",
    b"\x93NUMPY": "a NumPy array",
    b"SIMPLE  =": "a FITS image",
    b"\0\0\1\0": "an icon",
    b"\xff\x0a": "a JPEG XL image",
    b"\0\0\0\x0cJXL ": "a JPEG XL image",
    b"PF": "a colour PFM image",
    b"P7": "a PAM image",
    b"qoif": "a QOI image",
    b"II\xbc\x01": "a JPEG XR image",
    b"\x01\xda": "an SGI image",
    b"\x0a\x05\x01": "a PCX image",
    b"icns": "an icon",
}
"""Files that people take for images and that are not read, so that the message can name them."""

MOST_BYTES = 1 << 31
"""A file larger than this is no single image of a part."""

EMPTY_PIXELS, EMPTY_RATIO = 1 << 24, 2_000
"""Above so many pixels, a file must spend a byte on so many of them. No photograph takes less; a file that claims a
size it does not hold takes 8,000."""
SPARE_PIXELS, SPARE_SIDE = 16, 8
"""How much larger than the largest good image an inspected one may be."""
LEAST_PIXELS, LEAST_SIDE = 1 << 20, 4096
"""Small images are always read, however small the good ones were."""


@dataclass(frozen=True)
class Bounds:
    """The largest image that is read."""

    pixels: int = 178_956_970
    """Height times width; by default Pillow's own bound."""
    side: int = 65_535
    """The longer one of height and width, in pixels."""
    dense: bool = True
    """Whether a large image whose file is far too small for it is refused."""

    @classmethod
    def around(cls, sizes: Iterable[tuple[int, int]]) -> "Bounds":
        """What may come where the good images had these sizes, (height, width) in pixels; at least one."""
        known = list(sizes)
        pixels = max(height * width for height, width in known)
        side = max(max(size) for size in known)
        return cls(max(SPARE_PIXELS * pixels, LEAST_PIXELS), max(SPARE_SIDE * side, LEAST_SIDE))

    def check(self, width: int, height: int, file_size: int | None, name: str) -> None:
        """Raise ImageError where an image is larger; `file_size` is in bytes, None for an image in memory."""
        if width * height > self.pixels or max(width, height) > self.side:
            raise ImageError(
                f"{name} claims {width} x {height} pixels; at most {self.pixels:,} are read, and at most {self.side:,} "
                f"on a side. Shrink or cut it, or raise the bound (max_pixels)."
            )
        if self.dense and file_size and width * height > max(EMPTY_PIXELS, EMPTY_RATIO * file_size):
            raise ImageError(
                f"{name} claims {width} x {height} pixels in {file_size:,} bytes, which is far too little for a "
                f"photograph. Save it again, or give a bound of your own (max_pixels)."
            )


@dataclass(frozen=True)
class Encoded:
    """The bytes of one image file, and what it is called in messages."""

    name: str
    data: bytes

    @cached_property
    def format(self) -> Format:
        """What it is by its first bytes. Raises ImageError for anything that is not read."""
        if not self.data:
            raise ImageError(f"{self.name} is empty (0 bytes); was it read wholly?")
        head = self.data[:32]
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return "WebP"
        for start, format in _STARTS.items():
            if head.startswith(start):
                return format
        raise ImageError(_unknown(head, self.name))

    @cached_property
    def digest(self) -> str:
        """The sha256 of the bytes, in hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()


def encoded_file(path: str | os.PathLike[str]) -> Encoded:
    """Read a file whole, once. Raises ImageError for what is absent, empty, a folder, a device, or not readable."""
    name = str(os.fspath(path))
    if not name:
        raise ImageError("An empty path names no image; give the path of a file.")
    try:
        status = os.stat(path)  # before opening: a pipe would wait for somebody who writes
        if stat.S_ISDIR(status.st_mode):
            raise ImageError(f"{name} is a folder, not an image.")
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(f"{name} is a device or a pipe, not an image file.")
        if status.st_size > MOST_BYTES:
            raise ImageError(f"{name} has {status.st_size:,} bytes; at most {MOST_BYTES:,} are read.")
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise ImageError(_unreadable(name, error)) from None
    if not data:
        raise ImageError(f"{name} is an empty file (0 bytes); was it copied wholly?")
    return Encoded(name, data)


def _unreadable(name: str, error: OSError | ValueError) -> str:
    """Why a file could not be read, in words."""
    if isinstance(error, FileNotFoundError):
        return f"{name} does not exist; check the path."
    return f"{name} cannot be read ({getattr(error, 'strerror', None) or error}); check the path and its permissions."


def _unknown(head: bytes, name: str) -> str:
    kinds = [kind for start, kind in _OTHERS.items() if head.startswith(start)]
    if head[4:8] == b"ftyp":
        kinds = ["an AVIF or HEIF image"]
    if kinds:
        return f"{name} is {kinds[0]}, which is not supported; convert it to PNG or TIFF."
    return (
        f"{name} is not an image in a format that can be read; convert it to PNG or TIFF, or is it damaged or misnamed?"
    )


def damaged(name: str, what: str) -> ImageError:
    """The error for a file that contradicts itself."""
    return ImageError(f"{name} cannot be decoded ({what}); is it damaged or cut short?")


def several_pages(pages: int, name: str) -> ImageError:
    """The error for a file of more than one image."""
    return ImageError(f"{name} holds {pages} pages or frames; save the one to inspect as its own file.")


def webp_size(encoded: Encoded) -> tuple[int, int]:
    """Width and height of a WebP. Source: WebP Container Specification."""
    data = encoded.data.ljust(30, b"\0")
    if data[12:16] == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


def check_jpeg_2000(encoded: Encoded) -> None:
    """Refuse values that Pillow would scale or cut. Source: ITU-T T.800, A.5.1."""
    at = encoded.data.find(b"\xff\x4f\xff\x51")
    count = int.from_bytes(encoded.data[at + 40 : at + 42], "big")
    depths = set(encoded.data[at + 42 : at + 42 + 3 * count : 3])
    if at < 0 or not (depths == {7} or (depths == {15} and count == 1)):
        raise ImageError(
            f"{encoded.name} holds JPEG 2000 pixels of a kind that is not supported (8-bit, or 16-bit grey, unsigned, "
            f"is read); convert it to PNG or TIFF."
        )
