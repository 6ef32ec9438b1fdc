"""Decode whatever users hold (paths, bytes, Pillow images, arrays) into one array of pixels."""

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from blemish.arrays import Array
from blemish.errors import ImageError, OptionError

__all__ = ["Channels", "ImageKind", "PixelType", "Source", "image_name", "probe_image", "read_image"]

Source = str | os.PathLike[str] | bytes | Image.Image | Array
Channels = Literal["RGB", "BGR"]
PixelType = Literal["uint8", "uint16", "float32"]

MAX_PIXELS = 400_000_000
"""Larger images are refused before they are decoded: a few kilobytes can claim any size."""

_WIDE_GREY = {"I;16", "I;16L", "I;16B", "I;16N", "I"}


@dataclass(frozen=True)
class ImageKind:
    """What can be told of an image without decoding it."""

    height: int
    width: int
    pixels: PixelType


def image_name(source: Source) -> str:
    """How messages and results call an image: its path, or what it is where it has none."""
    if isinstance(source, bytes):
        return "<bytes>"
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "")) or "<image>"
    return "<array>" if isinstance(source, np.ndarray) else os.fspath(source)


def read_image(source: Source, *, channels: Channels = "RGB") -> Array:
    """Decode one image, upright (EXIF orientation applied), alpha dropped.

    `channels` says how arrays order their colours; files and Pillow images know theirs.
    Returns H x W (grey) or H x W x 3 (RGB) of uint8, uint16 or float32.
    Raises ImageError, naming the image, for anything that cannot be decoded wholly.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, channels)
    with _opened(source) as image:
        return _from_pillow(image, image_name(source))


def probe_image(source: Source) -> ImageKind:
    """The upright size and the pixel type of an image, from its header alone. Raises ImageError."""
    if isinstance(source, np.ndarray):
        pixels = _from_array(source, "RGB")
        return ImageKind(pixels.shape[0], pixels.shape[1], cast(PixelType, str(pixels.dtype)))
    with _opened(source) as image:
        _check_size(image, image_name(source))
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
        height, width = (image.width, image.height) if turned else (image.height, image.width)
        kind: PixelType = "uint16" if image.mode in _WIDE_GREY else "float32" if image.mode == "F" else "uint8"
        return ImageKind(height, width, kind)


@contextmanager
def _opened(source: str | os.PathLike[str] | bytes | Image.Image) -> Iterator[Image.Image]:
    """Open what is not open yet, and say what is wrong with it in words whenever it fails."""
    name = image_name(source)
    try:
        with warnings.catch_warnings():
            # Pillow warns of sizes that are large but allowed here, and of odd but readable metadata.
            warnings.simplefilter("ignore")
            if isinstance(source, Image.Image):
                yield source
                return
            if not isinstance(source, bytes):
                _check_file(Path(source), name)
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
                yield image
    except UnidentifiedImageError:
        raise ImageError(f"{name} is not an image in a format that can be read; is it damaged or misnamed?") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{name} claims more pixels than are ever read ({MAX_PIXELS:,}).") from None
    except MemoryError:
        raise ImageError(f"{name} does not fit in memory; tile or shrink it first.") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ImageError(f"{name} cannot be decoded ({error}); is it damaged or cut short?") from None


def _check_file(path: Path, name: str) -> None:
    if not path.exists():
        raise ImageError(f"{name} does not exist; check the path.")
    if path.is_dir():
        raise ImageError(f"{name} is a folder, not an image.")
    if path.stat().st_size == 0:
        raise ImageError(f"{name} is an empty file (0 bytes); was it copied wholly?")


def _check_size(image: Image.Image, name: str) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(f"{name} claims {image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are read.")


def _from_pillow(image: Image.Image, name: str) -> Array:
    """Bring every Pillow mode to grey or RGB without changing the meaning of its values."""
    _check_size(image, name)
    pages = getattr(image, "n_frames", 1)
    if pages > 1 and image.format in {"TIFF", "GIF", "WEBP", "PNG"}:
        raise ImageError(f"{name} holds {pages} pages or frames; save the one to inspect as its own file.")
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _WIDE_GREY:
        return _wide_grey(upright, name)
    if upright.mode == "F":
        return _finite(np.asarray(upright, np.float32), name)
    if upright.mode in {"1", "L"}:
        return np.asarray(upright.convert("L"))
    return np.asarray(upright.convert("RGB"))


def _wide_grey(image: Image.Image, name: str) -> Array:
    """Grey values of 16 bits, however Pillow holds them."""
    values = np.asarray(image)
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise ImageError(f"{name} holds 32-bit values beyond 0 to 65535; save it as 16-bit or as float.")
    return values.astype(np.uint16)


def _finite(values: Array, name: str) -> Array:
    if not np.isfinite(values).all():
        raise ImageError(f"{name} holds NaN or infinite pixels; mend them before inspection.")
    return values


def _from_array(array: Array, channels: Channels) -> Array:
    """Check shape and type of an array, and bring its colours into RGB order."""
    if channels not in ("RGB", "BGR"):
        raise OptionError(f'channels="{channels}" is not known; give "RGB" or "BGR" (OpenCV\'s order).')
    shape = "x".join(map(str, array.shape))
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        raise ImageError(f"An array of shape {shape} has its channels first; pass height x width x channels.")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(f"An array of shape {shape} is no image; pass height x width, or height x width x 1, 3 or 4.")
    if array.size == 0:
        raise ImageError(f"An array of shape {shape} holds no pixels.")
    if array.dtype == np.float64 or array.dtype == np.float16:
        array = array.astype(np.float32)
    if array.dtype not in (np.uint8, np.uint16, np.float32):
        raise ImageError(f"An array of {array.dtype} is no image; convert it to uint8, uint16 or float32.")
    if array.dtype == np.float32:
        _finite(array, "The array")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 3:
        array = array[:, :, :3] if channels == "RGB" else array[:, :, 2::-1]
    return np.ascontiguousarray(array)
