"""One image file as bytes: read once, so that what is checked is what is decoded, and known by its content."""

import hashlib
import os
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from blemish.errors import ImageError

__all__ = ["Encoded", "Format", "encoded_file"]

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
}
"""Files that people take for images and that are not read, so that the message can name them."""

MOST_BYTES = 1 << 31
"""A file larger than this is no single image of a part."""


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
    return f"{name} is not an image in a format that can be read; is it damaged or misnamed?"
