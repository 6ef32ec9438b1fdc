"""Whatever users hold (paths, bytes, Pillow images, arrays) as one array: opened, checked, decoded, turned upright."""

import os
import stat
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias, TypeGuard

import numpy as np
from PIL import ExifTags, Image

from blemish.arrays import Array
from blemish.errors import DataError, ImageError, OptionError
from blemish.images.array import UNNAMED, Channels, pixels_of_array
from blemish.images.encoded import WIDE_GREY, Decoded, Encoded, Format, Opened, damaged, several_pages
from blemish.images.exif import TURNED, told_orientation
from blemish.images.formats import jpeg, netpbm, others, png, tiff
from blemish.images.nodata import without_nodata
from blemish.images.rules import USUAL, Rules
from blemish.system.address import Address, address_of
from blemish.system.buckets import cause

__all__ = [
    "Channels",
    "Source",
    "constant_end",
    "has_name",
    "header",
    "image_name",
    "is_pair",
    "keep",
    "opened",
    "orientation",
    "read_image",
    "undecodable",
]

Held: TypeAlias = bytes | Image.Image | Array
Pair: TypeAlias = tuple[str | os.PathLike[str], Held]
Source: TypeAlias = str | os.PathLike[str] | Held | Pair
"""One image: a path, encoded bytes, a Pillow image, an array, or a pair of a name and one of the latter three."""

OPENERS: Mapping[Format, Callable[[Encoded, Rules], Opened]] = {
    "PNG": png.opened,
    "JPEG": jpeg.opened,
    "TIFF": tiff.opened,
    "PNM": netpbm.opened,
    "BMP": others.opened_bmp,
    "GIF": others.opened_gif,
    "WebP": others.opened_webp,
    "JPEG 2000": others.opened_jpeg_2000,
}
"""Each format by itself: Pillow's Image.open would ask all of its decoders, one of which starts Ghostscript."""

MOST_BYTES = 1 << 31
"""A file larger than this is no single image of a part."""

FEWEST_LINES = 4
"""No fewer rows or columns are called an end."""
LINES = 64
"""Rows that are compared at once, behind a last one that is constant: in most images it is not."""

_TO_RGB = frozenset({"LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV"})


def image_name(source: object) -> str:
    """How messages and results call an image: its path or name, or what it is where it has none."""
    if is_pair(source):
        source = source[0]
    if isinstance(source, str | os.PathLike):
        return str(os.fspath(source))
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "")) or "<image>"
    return UNNAMED if isinstance(source, np.ndarray) else f"<{type(source).__name__}>"


def has_name(source: object) -> bool:
    """Whether an image has a path or name by which it can be told from others."""
    if isinstance(source, Image.Image):
        return bool(getattr(source, "filename", ""))
    return isinstance(source, str | os.PathLike) or is_pair(source)


def is_pair(source: object) -> TypeGuard[Pair]:
    """Whether this is an image under a name: (name, bytes, Pillow image or array)."""
    return (
        isinstance(source, tuple)
        and len(source) == 2
        and isinstance(source[0], str | os.PathLike)
        and isinstance(source[1], bytes | Image.Image | np.ndarray)
    )


def keep(source: Source, *, channels: Channels = "RGB", rules: Rules = USUAL) -> Source:
    """The image as what gives the same pixels whenever it is read: a file's bytes, or a copy of the pixels.

    Raises ImageError as `read_image` does, though files are decoded there only.
    """
    name, image = opened(source)
    if isinstance(image, Encoded):
        return name, image.data
    pixels = read_image(source, channels=channels, rules=rules)
    owned = not (isinstance(image, np.ndarray) and np.may_share_memory(pixels, image))
    return name, pixels if owned else pixels.copy()


def read_image(source: Source, *, channels: Channels = "RGB", rules: Rules = USUAL) -> Array:
    """Decode one image, upright (EXIF orientation applied), alpha dropped.

    `channels` says how arrays order their colours; files and Pillow images know theirs. `rules` says what is refused.
    Returns H x W (grey) or H x W x 3 (RGB) of uint8, uint16 or float32; of float32, pixels that were not measured are
    NaN. Raises ImageError, naming the image, for anything that cannot be decoded wholly.
    """
    if channels not in ("RGB", "BGR"):
        raise OptionError(f'channels="{channels}" is not known; give "RGB" or "BGR" (OpenCV\'s order).')
    name, image = opened(source)
    if isinstance(image, np.ndarray):
        return pixels_of_array(image, name, channels, rules.nodata)
    try:
        return decode(image, rules) if isinstance(image, Encoded) else _of_pillow(image, name, rules)
    except ImageError:
        raise
    except Exception as error:  # whatever a decoder makes of damaged bytes is this image's error
        raise undecodable(name, error) from None


def opened(source: Source) -> tuple[str, Encoded | Image.Image | Array]:
    """How an image is called, and the image; of a path, the bytes of its file."""
    name = image_name(source)
    if isinstance(source, tuple) and not is_pair(source):
        raise ImageError("A tuple is no image, unless it is a pair: a name, and bytes, a Pillow image or an array.")
    image = source[1] if isinstance(source, tuple) else source
    if isinstance(image, bytes):
        return name, Encoded(name, image)
    if isinstance(image, str | os.PathLike):
        return name, Encoded(name, _file_bytes(image, name))
    if not isinstance(image, Image.Image | np.ndarray):
        raise ImageError(f"{name} is no image; pass a path, encoded bytes, a Pillow image or a NumPy array.")
    return name, image


def _file_bytes(path: str | os.PathLike[str], name: str) -> bytes:
    """Read a file whole, once. Raises ImageError for what is absent, empty, a folder, a device, or not readable."""
    if not name:
        raise ImageError("An empty path names no image; give the path of a file.")
    try:
        data = _bucket_bytes(path) if isinstance(path, Address) else _disk_bytes(path, name)
    except FileNotFoundError:
        raise ImageError(f"{name} does not exist; check the path.") from None
    except (OptionError, DataError) as error:  # the bucket cannot be reached at all
        raise ImageError(str(error)) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or cause(error)
        raise ImageError(f"{name} cannot be read ({why}); check the path and its permissions.") from None
    if not data:
        raise ImageError(f"{name} is an empty file (0 bytes); was it copied wholly?")
    return data


def _disk_bytes(path: str | os.PathLike[str], name: str) -> bytes:
    try:
        status = os.stat(path)  # before opening: a pipe would wait for somebody who writes
    except FileNotFoundError:
        if address := address_of(path):
            return _bucket_bytes(address)
        raise
    if stat.S_ISDIR(status.st_mode):
        raise ImageError(f"{name} is a folder, not an image.")
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(f"{name} is a device or a pipe, not an image file.")
    if status.st_size > MOST_BYTES:
        raise ImageError(f"{name} has {status.st_size:,} bytes; at most {MOST_BYTES:,} are read.")
    return Path(path).read_bytes()


def _bucket_bytes(address: Address) -> bytes:
    if address.seen and address.seen.size > MOST_BYTES:
        raise ImageError(f"{address} has {address.seen.size:,} bytes; at most {MOST_BYTES:,} are read.")
    return address.read_bytes()


def decode(encoded: Encoded, rules: Rules) -> Array:
    """Check a file and decode it. Raises ImageError, or whatever a decoder raises for damaged bytes."""
    decoded = header(encoded, rules).decode()
    if decoded.image is not None and not rules.accept_damaged:
        _check_palette(decoded.image, encoded.name)
    return _upright(decoded, encoded.name, rules)


def header(encoded: Encoded, rules: Rules) -> Opened:
    """The header of a file: of one image, within bounds. Raises ImageError."""
    name, size = encoded.name, len(encoded.data)
    try:
        header = OPENERS[encoded.format](encoded, rules)
    except (SyntaxError, Image.DecompressionBombError) as error:
        raise damaged(name, f"its header: {error}") from None
    if not rules.bounds.admit(header.width, header.height, size):
        raise rules.bounds.refusal(header.width, header.height, size, name)
    if header.pages > 1:
        raise several_pages(header.pages, name)
    return header


def _check_palette(image: Image.Image, name: str) -> None:
    """Check that a palette, if there is one, has the colours that the pixels name."""
    if image.mode != "P" or image.palette is None:
        return
    colours = len(image.palette.palette) // len(image.palette.rawmode or image.palette.mode)
    highest = image.getextrema()[1]
    if isinstance(highest, tuple) or highest >= colours:
        raise damaged(name, "a pixel names a colour that is not in its palette")


def _of_pillow(image: Image.Image, name: str, rules: Rules) -> Array:
    """The pixels of an image that somebody has opened by Pillow."""
    if not rules.bounds.hold(image.width, image.height):
        raise rules.bounds.refusal(image.width, image.height, 0, name)
    pages = getattr(image, "n_frames", 1)
    if pages > 1 and image.format in {"TIFF", "GIF", "WEBP", "PNG"}:
        raise several_pages(pages, name)
    return _upright(Decoded(image), name, rules)


def _upright(decoded: Decoded, name: str, rules: Rules) -> Array:
    """The pixels as the camera saw them, alpha dropped; of float pixels, those that were not measured are NaN.

    Orientations 2, 4, 5 and 7 mirror as well, 3 turns by half, 5 to 8 by a quarter.
    """
    image, values, turn, told = decoded
    if image is not None:
        values = _stored(image, name) if values is None else values
        turn = orientation(image)  # asked last: what a PNG says of it may stand behind its pixels
    assert values is not None, "a decoder gives an image, values, or both"
    if turn in TURNED:
        values = np.swapaxes(values, 0, 1)
    rows = -1 if turn in (3, 4, 7, 8) else 1
    columns = -1 if turn in (2, 3, 6, 7) else 1
    values = np.ascontiguousarray(values[::rows, ::columns])
    return without_nodata(values, name, told, rules.nodata) if values.dtype == np.float32 else values


def _stored(image: Image.Image, name: str) -> Array:
    """Pillow's pixels as they lie in the file: H x W, or H x W x 3. Raises ImageError for modes of no place here."""
    image.load()
    if image.mode in WIDE_GREY:
        return _wide_grey(image, name)
    if image.mode == "F":
        return np.asarray(image, np.float32)
    if image.mode not in _TO_RGB | {"1", "L"}:
        raise ImageError(f"{name} holds {image.mode} colours, which is not supported; convert it to RGB.")
    if image.mode == "P" and "transparency" in image.info:
        image = image.copy()  # Pillow would warn of what is dropped on purpose
        del image.info["transparency"]
    kept = {"1": "L", "L": "L"}.get(image.mode, "RGB")
    return np.asarray(image if image.mode == kept else image.convert(kept))


def _wide_grey(image: Image.Image, name: str) -> Array:
    """Grey values of 16 bits, however Pillow holds them."""
    values = np.asarray(image)
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise ImageError(f"{name} holds values below 0 or above 65535; save it as 16-bit unsigned or as float.")
    return values.astype(np.uint16)


def orientation(image: Image.Image) -> int:
    """How a camera was held, 1 to 8, as EXIF or XMP counts; 1 where neither says it."""
    try:
        return int(image.getexif()[ExifTags.Base.Orientation])
    except (SyntaxError, struct.error, KeyError, TypeError, ValueError, UserWarning):
        block = image.info.get("exif")  # one tag that Pillow cannot read takes others with it
        return told_orientation(block) if block else 1


def undecodable(name: str, error: Exception) -> ImageError:
    """The error for what a decoder raised."""
    if isinstance(error, MemoryError):
        return ImageError(f"{name} does not fit in memory; tile or shrink it first.")
    if str(error).lower().startswith("unsupported"):
        return ImageError(f"{name} is of a kind that is not supported ({error}); convert it to PNG or TIFF.")
    return damaged(name, str(error))


def constant_end(image: Array) -> float:
    """The share of the rows at the bottom, or of the columns at the right, that hold one constant value (per channel).

    Those are what is decoded last, upright or turned by a quarter; the larger share of the two. 0 where there are fewer
    than four such rows or columns.
    """
    return max(_end(image), _end(image.swapaxes(0, 1)))


def _end(rows: Array) -> float:
    """The share of the last rows that equal the last value of all."""
    last, count, step = rows[-1, -1], 0, 1
    while count < len(rows):
        lines = rows[::-1][count : count + step]
        same = (lines == last).reshape(len(lines), -1).all(axis=1)
        if not same.all():
            count += int(same.argmin())
            break
        count, step = count + len(lines), LINES
    return count / len(rows) if count >= FEWEST_LINES else 0.0
