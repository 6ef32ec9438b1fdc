"""From the bytes of an image file to its pixels: each format by a decoder that gives its values exactly."""

import io
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import cv2
import numpy as np
import simplejpeg
from PIL import ExifTags, Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from blemish.arrays import Array
from blemish.errors import ImageError
from blemish.images.encoded import (
    Bounds,
    Encoded,
    Format,
    check_jpeg_2000,
    damaged,
    several_pages,
    webp_size,
)
from blemish.images.exif import told_orientation
from blemish.images.lacking import NoData, without_nodata
from blemish.images.netpbm import check_netpbm_head, is_wide_netpbm, wide_netpbm
from blemish.images.scans import check_jpeg_head, check_scans
from blemish.images.strips import check_supported, not_supported, opencv_gives, own_pixels, pillow_gives
from blemish.images.tiff import FLOAT, WHITE_IS_ZERO, TiffKind, check_tiff, tiff_kind
from blemish.images.whole import check_colours, check_png, check_png_rows, check_whole, plain_png

__all__ = ["Header", "PixelType", "Rules", "decode", "header", "orientation", "pixel_type", "pixels_of"]

PixelType = Literal["uint8", "uint16", "float32"]

_WIDE_GREY = {"I;16", "I;16L", "I;16B", "I;16N", "I"}
_TO_RGB = {"LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV"}


@dataclass(frozen=True)
class Rules:
    """What is read, and what is refused."""

    bounds: Bounds = field(default_factory=Bounds)
    accept_damaged: bool = False
    """Whether files are read whose format says that they are damaged, as far as they can be."""
    nodata: NoData = "auto"
    """The value of float pixels that were not measured; "auto": recognised."""

    @classmethod
    def of(
        cls,
        *,
        accept_damaged: bool = False,
        max_pixels: int | None = None,
        nodata: NoData = "auto",
        sizes: Iterable[tuple[int, int]] = (),
    ) -> "Rules":
        """The rules where `max_pixels`, or else the (height, width) of good images, if any, bound what is read."""
        known = list(sizes)
        if max_pixels is not None:
            return cls(Bounds(max_pixels, max_pixels, dense=False), accept_damaged, nodata)
        return cls(Bounds.around(known) if known else Bounds(), accept_damaged, nodata)


class Header(NamedTuple):
    """What a file says of its image before it is decoded."""

    height: int
    """Upright, in pixels."""
    width: int
    pixels: PixelType


_OPENERS: dict[Format, type[ImageFile]] = {
    "PNG": PngImageFile,
    "BMP": BmpImageFile,
    "PNM": PpmImageFile,
    "WebP": WebPImageFile,
    "GIF": GifImageFile,
    "JPEG 2000": Jpeg2KImageFile,
    "JPEG": JpegImageFile,
}
"""Pillow's decoders by themselves: Image.open would ask all of them, one of which starts Ghostscript."""

_HEADS: dict[Format, Callable[[bytes, str], None]] = {
    "PNM": check_netpbm_head,
    "JPEG": check_jpeg_head,
}
"""Headers that Pillow would read byte by byte, or part by part, for as long as they go on."""


def decode(encoded: Encoded, rules: Rules) -> Array:
    """Check a file and decode it, upright, alpha dropped, to H x W or H x W x 3 of uint8, uint16 or float32.

    Float pixels that were not measured are NaN. Raises ImageError, or whatever a decoder raises for damaged bytes.
    """
    match encoded.format:
        case "JPEG":
            return _jpeg(encoded, rules)
        case "TIFF":
            return _tiff(encoded, rules)
        case "PNG":
            return _png(encoded, rules)
    image = _opened(encoded, rules)
    if not rules.accept_damaged:
        check_whole(encoded)
        check_colours(image, encoded.name)
    if encoded.format == "PNM" and is_wide_netpbm(encoded.data):
        return wide_netpbm(encoded.data, encoded.name)
    return _finite(pixels_of(image, encoded.name), encoded, None, rules)


def header(encoded: Encoded, rules: Rules) -> Header:
    """The size and the pixels of an image, without decoding it where its format allows."""
    if encoded.format == "TIFF":
        return _tiff_header(encoded, rules)
    image = _opened(encoded, rules)
    pixels: PixelType = "uint16" if _is_wide(encoded, image) else pixel_type(image)
    turned = orientation(image) in (5, 6, 7, 8)
    height, width = (image.width, image.height) if turned else (image.height, image.width)
    return Header(height, width, pixels)


def _opened(encoded: Encoded, rules: Rules) -> ImageFile:
    """The file's header, with its size within bounds. Raises ImageError for a header that cannot be read."""
    if encoded.format == "WebP":  # Pillow would take the memory of the whole picture at once
        rules.bounds.check(*webp_size(encoded), len(encoded.data), encoded.name)
    if check := _HEADS.get(encoded.format):
        check(encoded.data, encoded.name)
    data = plain_png(encoded.data, encoded.name) if encoded.format == "PNG" else encoded.data
    try:
        image = _OPENERS[encoded.format](io.BytesIO(data))
    except (SyntaxError, Image.DecompressionBombError) as error:
        raise damaged(encoded.name, f"its header: {error}") from None
    rules.bounds.check(image.width, image.height, len(encoded.data), encoded.name)
    _check_pages(getattr(image, "n_frames", 1), encoded.name)
    if encoded.format == "JPEG 2000":
        check_jpeg_2000(encoded)
    return image


def _check_pages(pages: int, name: str) -> None:
    if pages > 1:
        raise several_pages(pages, name)


def _is_wide(encoded: Encoded, image: ImageFile) -> bool:
    """Whether a file, other than TIFF, holds 16-bit values that Pillow would scale or cut."""
    if encoded.format == "PNM":
        return is_wide_netpbm(encoded.data)
    return encoded.format == "PNG" and encoded.data[24] == 16


def _finite(values: Array, encoded: Encoded, told: str | None, rules: Rules) -> Array:
    """Float values with what was not measured as NaN; other values as they are."""
    if values.dtype != np.float32:
        return values
    try:
        mark = None if told is None else float(told)
    except ValueError:
        mark = None
    return without_nodata(values, encoded.name, mark, rules.nodata)


def _jpeg(encoded: Encoded, rules: Rules) -> Array:
    """The pixels Pillow would give, to the bit, by a decoder that does not pass over what libjpeg warns of."""
    check_jpeg_head(encoded.data, encoded.name)
    image = JpegImageFile(io.BytesIO(encoded.data))
    rules.bounds.check(image.width, image.height, len(encoded.data), encoded.name)
    space = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}[image.mode]
    try:
        values = simplejpeg.decode_jpeg(encoded.data, space, strict=not rules.accept_damaged)
    except ValueError as error:
        if "subsampling level" in str(error):
            raise ImageError(
                f"{encoded.name} is a JPEG of an unusual subsampling, which is not supported; convert it to PNG, or "
                f"save it with 4:4:4, 4:2:2 or 4:2:0."
            ) from None
        if rules.accept_damaged:  # a header with stray bytes simplejpeg gives up even so
            return pixels_of(image, encoded.name)
        raise damaged(encoded.name, str(error)) from None
    if not rules.accept_damaged:
        check_scans(encoded.data, encoded.name)
    if space == "CMYK":
        return pixels_of(image, encoded.name)
    return upright(values[:, :, 0] if space == "GRAY" else values, orientation(image))


def _png(encoded: Encoded, rules: Rules) -> Array:
    image = _opened(encoded, rules)
    if not rules.accept_damaged:
        check_png(encoded.data, encoded.name)
        check_png_rows(image, encoded)
        check_colours(image, encoded.name)
    values = pixels_of(image, encoded.name)
    if len(image.getbands()) == 1 or encoded.data[24] != 16:
        return values
    # Of 16-bit colours Pillow keeps the upper 8 bits: it found the file whole, and OpenCV decodes it.
    wide = _by_opencv(encoded)
    return upright(wide[:, :, 0] if image.mode == "LA" else wide, orientation(image))


def _tiff_header(encoded: Encoded, rules: Rules) -> Header:
    kind = tiff_kind(encoded.data, encoded.name, strict=not rules.accept_damaged)
    rules.bounds.check(kind.width, kind.height, len(encoded.data), encoded.name)
    turned = kind.orientation in (5, 6, 7, 8)
    height, width = (kind.width, kind.height) if turned else (kind.height, kind.width)
    if kind.sample_format == FLOAT:
        return Header(height, width, "float32")
    return Header(height, width, "uint16" if kind.bits > 8 else "uint8")


def _tiff(encoded: Encoded, rules: Rules) -> Array:
    kind = tiff_kind(encoded.data, encoded.name, strict=not rules.accept_damaged)
    rules.bounds.check(kind.width, kind.height, len(encoded.data), encoded.name)
    _check_pages(kind.pages, encoded.name)
    check_supported(kind, encoded.name)
    if not rules.accept_damaged:
        check_tiff(kind, encoded.data, encoded.name)
    return _finite(_tiff_pixels(kind, encoded), encoded, kind.nodata, rules)


def _tiff_pixels(kind: TiffKind, encoded: Encoded) -> Array:
    """The pixels of the only page, upright."""
    if pillow_gives(kind):
        image = _opened_tiff(kind, encoded)
        values = pixels_of(image, encoded.name)
        if kind.premultiplied and image.getextrema()[-1] != (255, 255):  # Pillow divides colours by their alpha
            raise not_supported(kind, encoded.name)
        # Pillow turns white-is-zero around for 8 bits and less alone.
        turn = kind.photometric == WHITE_IS_ZERO and values.dtype == np.uint16 and kind.bits <= 16
        return np.asarray((1 << kind.bits) - 1 - values, np.uint16) if turn else values
    if opencv_gives(kind):
        _opened_tiff(kind, encoded).load()  # it raises where the file is not whole
        return _by_opencv(encoded)  # which turns TIFF upright by itself
    values = own_pixels(kind, encoded.data, encoded.name)
    if kind.photometric == WHITE_IS_ZERO and kind.sample_format != FLOAT:
        values = np.asarray(np.iinfo(values.dtype).max - values)
    return upright(values, kind.orientation)


def _opened_tiff(kind: TiffKind, encoded: Encoded) -> ImageFile:
    """Its tags were read before: what Pillow does not open then is a kind of pixels that it does not know."""
    try:
        return TiffImageFile(io.BytesIO(encoded.data))
    except SyntaxError:
        raise not_supported(kind, encoded.name) from None


def _by_opencv(encoded: Encoded) -> Array:
    """16-bit colours, RGB."""
    values = cv2.imdecode(np.frombuffer(encoded.data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        raise ImageError(
            f"{encoded.name} holds 16-bit colours in a form that is not supported; convert it to a plain PNG."
        )
    return np.ascontiguousarray(values[:, :, 2::-1])


def pixel_type(image: Image.Image) -> PixelType:
    """The type of the pixels that an image becomes."""
    if image.mode in _WIDE_GREY:
        return "uint16"
    return "float32" if image.mode == "F" else "uint8"


def pixels_of(image: Image.Image, name: str) -> Array:
    """Grey (H x W) or RGB (H x W x 3) pixels, upright, of uint8, uint16 or float32; alpha is dropped.

    Raises ImageError for a mode whose values have no place here.
    """
    image.load()  # what a PNG says of its orientation may stand behind its pixels
    return upright(_stored(image, name), orientation(image))


def _stored(image: Image.Image, name: str) -> Array:
    """The pixels as they lie in the file."""
    if image.mode in _WIDE_GREY:
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


def orientation(image: Image.Image) -> int:
    """How a camera was held, 1 to 8, as EXIF or XMP counts; 1 where neither says it."""
    try:
        return int(image.getexif()[ExifTags.Base.Orientation])
    except (SyntaxError, struct.error, KeyError, TypeError, ValueError, UserWarning):
        block = image.info.get("exif")  # one tag that Pillow cannot read takes others with it
        return told_orientation(block) if block else 1


def upright(values: Array, orientation: int) -> Array:
    """Apply an EXIF orientation: 2, 4, 5 and 7 mirror as well, 3 turns by half, 5 to 8 by a quarter."""
    if orientation in (5, 6, 7, 8):
        values = np.swapaxes(values, 0, 1)
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    columns = -1 if orientation in (2, 3, 6, 7) else 1
    return np.ascontiguousarray(values[::rows, ::columns])


def _wide_grey(image: Image.Image, name: str) -> Array:
    """Grey values of 16 bits, however Pillow holds them."""
    values = np.asarray(image)
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise ImageError(f"{name} holds values below 0 or above 65535; save it as 16-bit unsigned or as float.")
    return values.astype(np.uint16)
