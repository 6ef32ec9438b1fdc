"""One image file: its bytes, the format they begin with, its header, and what a decoder of its format gives.

Each format has a file of its own in formats/. Nothing is decoded before its header was asked and its size allowed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, NoReturn

from PIL import Image
from PIL.ImageFile import ImageFile

from blemish.arrays import Array
from blemish.errors import ImageError

__all__ = ["WIDE_GREY", "Decoded", "Encoded", "Format", "Opened", "PixelType", "damaged", "pixel_type", "several_pages"]

Format = Literal["JPEG", "PNG", "TIFF", "BMP", "PNM", "WebP", "GIF", "JPEG 2000"]
PixelType = Literal["uint8", "uint16", "float32"]

_STARTS: dict[bytes, Format] = {
    rb"\xff\xd8\xff": "JPEG",
    rb"\x89PNG\r\n\x1a\n": "PNG",
    rb"II[*+]\0|MM\0[*+]": "TIFF",
    rb"BM": "BMP",
    rb"P[1-6f]": "PNM",
    rb"RIFF....WEBP": "WebP",
    rb"GIF8[79]a": "GIF",
    rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
}
_FORMATS = {re.compile(start, re.DOTALL): format for start, format in _STARTS.items()}
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

WIDE_GREY = frozenset({"I;16", "I;16L", "I;16B", "I;16N", "I"})
"""Pillow's modes of grey values of more than 8 bits."""


@dataclass(frozen=True)
class Encoded:
    """The bytes of one image file, and what it is called in messages."""

    name: str
    data: bytes

    @cached_property
    def format(self) -> Format:
        """What it is by its first bytes. Raises ImageError for anything that is not read."""
        return next((format for start, format in _FORMATS.items() if start.match(self.data)), None) or _refuse(self)


class Decoded(NamedTuple):
    """What a decoder made of a file: a Pillow image, or values that Pillow would not give exactly, or both."""

    image: Image.Image | None
    """Says how the camera was held, and holds the pixels where there are no `values`."""
    values: Array | None = None
    """Pixels as they lie in the file: H x W or H x W x 3 of uint8, uint16 or float32."""
    orientation: int = 1
    """How the camera was held, 1 to 8 as EXIF counts, where there is no `image`."""
    nodata: float | None = None
    """The value that the file says stands where nothing was measured."""


class Opened(NamedTuple):
    """An image file of which the header has been read, and nothing more."""

    height: int
    """In pixels; as it lies in the file, or upright where there is no `image` to say how it is turned."""
    width: int
    pixels: PixelType
    pages: int
    decode: Callable[[], Decoded]
    """Checks that the file is whole, and decodes it. Raises ImageError, or whatever a decoder raises for bad bytes."""
    image: ImageFile | None = None

    @classmethod
    def by_pillow(cls, image: ImageFile, decode: Callable[[], Decoded], pixels: PixelType | None = None) -> "Opened":
        """What Pillow says of a header; `pixels`, where it would scale or cut them."""
        return cls(image.height, image.width, pixels or pixel_type(image), getattr(image, "n_frames", 1), decode, image)


def pixel_type(image: Image.Image) -> PixelType:
    """The type of the pixels that an image becomes."""
    return "uint16" if image.mode in WIDE_GREY else "float32" if image.mode == "F" else "uint8"


def damaged(name: str, what: str) -> ImageError:
    """The error for a file that contradicts itself."""
    return ImageError(f"{name} cannot be decoded ({what}); is it damaged or cut short?")


def several_pages(pages: int, name: str) -> ImageError:
    """The error for a file of more than one image."""
    return ImageError(f"{name} holds {pages} pages or frames; save the one to inspect as its own file.")


def _refuse(encoded: Encoded) -> NoReturn:
    """Say what a file is, as far as that is known, that is not read."""
    name, head = encoded.name, encoded.data[:32]
    if not head:
        raise ImageError(f"{name} is empty (0 bytes); was it read wholly?")
    kinds = [kind for start, kind in _OTHERS.items() if head.startswith(start)]
    if head[4:8] == b"ftyp":
        kinds = ["an AVIF or HEIF image"]
    if kinds:
        raise ImageError(f"{name} is {kinds[0]}, which is not supported; convert it to PNG or TIFF.")
    raise ImageError(
        f"{name} is not an image in a format that can be read; convert it to PNG or TIFF, or is it damaged or misnamed?"
    )
